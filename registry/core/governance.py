"""Which facts hold for a feature: its own, else its view's. Pure."""

from dataclasses import fields, replace

from registry.core.definitions import Feature, FeatureView, Governance, OnDemandView

DEFAULT_STATE = "draft"
_NOT_INHERITED = frozenset({"description", "replaced_by"})


def effective(view: FeatureView | OnDemandView, feature: Feature) -> Governance:
    """What holds for the feature. A fact that it does not state is its view's.

    A description is each one's own. A view replaced by another view means each feature is replaced
    by the one of its name there. Nobody says a state: draft, since production must be said.
    """
    own, shared = feature.facts, view.facts
    inherited = {
        name: getattr(shared, name)
        for name in (f.name for f in fields(Governance))
        if name not in _NOT_INHERITED and getattr(own, name) is None
    }
    facts = replace(own, **inherited, replaced_by=_replacement(view, feature))
    return facts if facts.state else replace(facts, state=DEFAULT_STATE)


def _replacement(view: FeatureView | OnDemandView, feature: Feature) -> str | None:
    """The reference that replaces the feature; a bare view stands for its feature of that name."""
    named = feature.facts.replaced_by or view.facts.replaced_by
    if named is None or ":" in named:
        return named
    view_name, at, version = named.partition("@")
    return f"{view_name}:{feature.name}{at}{version}"
