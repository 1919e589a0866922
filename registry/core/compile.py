"""Taking the digests of a repository once. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from registry.core.compiled import Compiled, CompiledFeature
from registry.core.definition_keys import definition_key
from registry.core.definitions import Feature, FeatureView, OnDemandView, Repository, Source
from registry.core.digests import column_expression, meaning_digest, text_digest
from registry.core.governance import effective
from registry.kernel.canonical import digest_bytes, short

CompiledViews = Mapping[str, tuple[CompiledFeature, ...]]


def compile_repository(repository: Repository, known: CompiledViews | None = None) -> Compiled:
    """The repository by name, each feature with its digests and the facets that people read.

    `known` holds what views gave before, by fingerprint (see `compiled_views`): those are not
    compiled again.
    """
    features = {f.ref: f for f in _features(repository, known or {})}
    return Compiled(
        namespace=repository.namespace,
        entities={e.name: e for e in repository.entities},
        views={v.name: v for v in repository.views},
        on_demand={v.name: v for v in repository.on_demand},
        services={s.name: s for s in repository.services},
        features=features,
        repository=repository,
    )


def fingerprint(view: FeatureView) -> str:
    """The digest of all that a view says, its place in the file too. Its features depend on
    nothing else."""
    return digest_bytes(msgspec.json.encode(view, order="deterministic"))


def compiled_views(compiled: Compiled) -> CompiledViews:
    """The compiled features of each stored view by the view's fingerprint, to be kept."""
    return {
        fingerprint(view): tuple(compiled.features[f"{name}:{f.name}"] for f in view.features)
        for name, view in compiled.views.items()
    }


def _features(repository: Repository, known: CompiledViews) -> Iterator[CompiledFeature]:
    for view in repository.views:
        found = known.get(fingerprint(view)) if known else None
        yield from found or (_stored(repository, view, feature) for feature in view.features)
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
        "ties": source.tie_breaker or "",
        "type": feature.dtype,
        "ttl": "" if view.ttl_seconds is None else f"{view.ttl_seconds:g} s",
        "default": "" if facts.default is None else repr(facts.default),
    }
    return CompiledFeature(
        view=view.name,
        name=feature.name,
        dtype=feature.dtype,
        meaning=meaning_digest(repository, view, feature),
        text=text_digest(view, feature),
        definition_key=definition_key(repository, view, feature),
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
        definition_key=definition_key(repository, view, feature),
        facets=tuple((name, text) for name, text in facets.items() if text),
        facts=facts,
        location=feature.location,
        on_demand=True,
    )
