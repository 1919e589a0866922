"""Taking the digests of a repository once. Pure."""

from collections.abc import Iterator

from registry.core.compiled import Compiled, CompiledFeature
from registry.core.definitions import Feature, FeatureView, OnDemandView, Repository, Source
from registry.core.digests import column_expression, meaning_digest, text_digest
from registry.core.governance import effective
from registry.kernel.canonical import digest, short


def compile_repository(repository: Repository) -> Compiled:
    """The repository by name, each feature with its digests and the facets that people read."""
    features = {f.ref: f for f in _features(repository)}
    return Compiled(
        namespace=repository.namespace,
        entities={e.name: e for e in repository.entities},
        views={v.name: v for v in repository.views},
        on_demand={v.name: v for v in repository.on_demand},
        services={s.name: s for s in repository.services},
        features=features,
        repository=repository,
    )


def _features(repository: Repository) -> Iterator[CompiledFeature]:
    for view in repository.views:
        for feature in view.features:
            yield _stored(repository, view, feature)
    for on_demand in repository.on_demand:
        for feature in on_demand.features:
            yield _computed(repository, on_demand, feature)


def _stored(repository: Repository, view: FeatureView, feature: Feature) -> CompiledFeature:
    facts = effective(view, feature)
    source = view.source.history
    expression = column_expression(source, _column(source, feature.name))
    facets = {
        "expression": expression,
        "join keys": _keys(view),
        "timestamp": source.timestamp_field or "",
        "created": source.created_field or "",
        "type": feature.dtype,
        "ttl": "" if view.ttl_seconds is None else f"{view.ttl_seconds:g} s",
        "default": "" if facts.default is None else repr(facts.default),
    }
    key = digest([facets[name] for name in ("expression", "join keys", "timestamp", "created")])
    return CompiledFeature(
        view=view.name,
        name=feature.name,
        dtype=feature.dtype,
        meaning=meaning_digest(repository, view, feature),
        text=text_digest(view, feature),
        definition_key=key,
        facets=tuple((name, text) for name, text in facets.items() if text),
        facts=facts,
        location=feature.location,
    )


def _column(source: Source, feature: str) -> str:
    mapped = {name: column for column, name in source.field_mapping}
    return mapped.get(feature, feature)


def _keys(view: FeatureView) -> str:
    return ", ".join(f"{key.name} {key.dtype}" for key in sorted(view.join_keys, key=str))


def _computed(repository: Repository, view: OnDemandView, feature: Feature) -> CompiledFeature:
    meaning = meaning_digest(repository, view, feature)
    facts = effective(view, feature)
    facets = {
        "expression": f"{feature.name} of {view.entry}() {short(meaning)}",
        "inputs": ", ".join([*view.inputs, *(f.name for f in view.request_fields)]),
        "type": feature.dtype,
        "default": "" if facts.default is None else repr(facts.default),
    }
    return CompiledFeature(
        view=view.name,
        name=feature.name,
        dtype=feature.dtype,
        meaning=meaning,
        text=text_digest(view, feature),
        definition_key=digest(["on demand", meaning]),
        facets=tuple((name, text) for name, text in facets.items() if text),
        facts=facts,
        location=feature.location,
        on_demand=True,
    )
