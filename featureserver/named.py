"""What requests name, found in the published state: services, references, views. Pure."""

from collections.abc import Sequence

from registry.core.published import PinnedFeature, Published, PublishedService, PublishedView
from registry.kernel.errors import Gone, NotFound
from registry.kernel.refs import parse_ref


def asked_pins(state: Published, request: str | Sequence[str]) -> list[tuple[PinnedFeature, bool]]:
    """The pins of a service (str) or of references, and whether the reference itself named the
    version. Raises `NotFound`, `Gone` or `Invalid`."""
    if isinstance(request, str):
        return [(pin, False) for pin in _service(state, request).features]
    refs = list(dict.fromkeys(request))
    return [(_resolved(state, ref), parse_ref(ref).version is not None) for ref in refs]


def _resolved(state: Published, ref: str) -> PinnedFeature:
    try:
        return state.resolve(ref)
    except NotFound:
        known = {v.name for v in state.views.values()} | {o.name for o in state.on_demand.values()}
        if parse_ref(ref).view not in known:
            raise NotFound("feature view", parse_ref(ref).view, known) from None
        raise


def _service(state: Published, name: str) -> PublishedService:
    service = state.service(name)
    for pin in service.features:
        gone = next((g for g in state.retired if _is_pin(g.view, g.feature, g.version, pin)), None)
        if gone is not None:
            raise Gone(
                f"feature service {name!r} holds {pin.view}:{pin.feature}, which was retired",
                hint=f"use {gone.replaced_by}" if gone.replaced_by else "",
            )
    return service


def _is_pin(view: str, feature: str, version: int, pin: PinnedFeature) -> bool:
    names = {pin.view, pin.view.partition("@")[0]}
    return view in names and (feature, version) == (pin.feature, pin.version)


def known_view(state: Published, name: str) -> list[PublishedView]:
    """Every line of the view of that name, or the one line of that key; raises `NotFound`."""
    if name in state.views and "@" in name:
        return [state.views[name]]
    lines = [view for view in state.views.values() if view.name == name]
    if not lines:
        raise NotFound("feature view", name, {view.name for view in state.views.values()})
    return lines
