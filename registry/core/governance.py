"""Which facts hold for a feature: its own, else its view's. Pure."""

from dataclasses import fields, replace

from registry.core.definitions import Feature, FeatureView, Governance, OnDemandView

DEFAULT_STATE = "draft"
_NOT_INHERITED = frozenset({"description", "replaced_by", "moved_from"})


def effective(view: FeatureView | OnDemandView, feature: Feature) -> Governance:
    """What holds for the feature. A fact that it does not state is its view's.

    A description is each one's own. A view replaced by another view, or moved from it, means each
    feature is replaced by, or comes from, the one of its name there. Nobody says a state: draft,
    since production must be said.
    """
    own, shared = feature.facts, view.facts
    inherited = {
        name: getattr(shared, name)
        for name in (f.name for f in fields(Governance))
        if name not in _NOT_INHERITED and getattr(own, name) is None
    }
    replaced = _of_the_feature(feature.facts.replaced_by or shared.replaced_by, feature)
    moved = _of_the_feature(feature.facts.moved_from or shared.moved_from, feature)
    facts = replace(own, **inherited, replaced_by=replaced, moved_from=moved)
    return facts if facts.state else replace(facts, state=DEFAULT_STATE)


def _of_the_feature(named: str | None, feature: Feature) -> str | None:
    """The reference; a bare view stands for its feature of that name."""
    if named is None or ":" in named:
        return named
    view_name, at, version = named.partition("@")
    return f"{view_name}:{feature.name}{at}{version}"
