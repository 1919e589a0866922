"""How long Redis keeps a row. Pure."""

from registry.core.published import PublishedView


def expire_seconds(view: PublishedView, retention_seconds: float) -> float | None:
    """How long Redis keeps a row of the view: ttl plus retention, or for ever.

    For ever without a ttl or a retention, and where a policy must still return the last value.
    """
    keeps_last = any(feature.staleness == "last" for feature in view.features)
    if view.ttl_seconds is None or retention_seconds <= 0 or keeps_last:
        return None
    return view.ttl_seconds + retention_seconds
