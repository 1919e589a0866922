"""Digests of definitions: what a feature means, what is said about it, views and services whole.

Pure, and the same on every machine, Python version and order of dicts. Where a definition stands
and how it is laid out never counts.
"""

from collections.abc import Callable
from typing import Any

from registry.core.code_digest import code_digest
from registry.core.code_slice import inputs_read, sliced
from registry.core.definitions import (
    Feature,
    FeatureService,
    FeatureView,
    Governance,
    JoinKey,
    OnDemandView,
    Repository,
    Source,
)
from registry.core.governance import effective
from registry.core.sql_lineage import column_text, source_tables
from registry.kernel.canonical import digest
from registry.kernel.errors import FieldhouseError
from registry.kernel.refs import parse_ref

__all__ = [
    "column_expression",
    "input_by",
    "meaning_digest",
    "service_digest",
    "source_tables",
    "text_digest",
    "transformation_digest",
    "used_inputs",
    "view_digest",
]

Describe = Callable[[Repository, FeatureView | OnDemandView, Feature], str]


def meaning_digest(
    repository: Repository, view: FeatureView | OnDemandView, feature: Feature
) -> str:
    """What the feature's values are: a new digest is a new version (decision 3).

    Of a view's feature: join keys, its column's expression with the event and created time that
    go with it, type, ttl and default. Of an on-demand feature: the code that computes it, and
    what its inputs mean in turn.
    """
    facts = effective(view, feature)
    said = {"dtype": feature.dtype, "default": _value(facts.default)}
    if isinstance(view, OnDemandView):
        return digest({**said, **_computed(repository, view, feature)})
    return digest({**said, **_stored(view, feature)})


def text_digest(view: FeatureView | OnDemandView, feature: Feature) -> str:
    """What is said about the feature: owner, description, unit, sensitivity, staleness, tags.

    State, sunset, replacement and version are moves of the lifecycle, compared as facts.
    """
    facts = effective(view, feature)
    said: dict[str, Any] = {
        "owner": facts.owner,
        "description": facts.description,
        "unit": facts.unit,
        "sensitivity": facts.sensitivity,
        "staleness": facts.staleness,
    }
    if isinstance(view, FeatureView):
        said["tags"] = sorted(view.tags)
    return digest(said)


def view_digest(repository: Repository, view: FeatureView | OnDemandView) -> str:
    """Everything a view says apart from layout: meanings, texts, facts, checks of its data."""
    said: dict[str, Any] = {
        "name": view.name,
        "features": sorted(
            [
                feature.name,
                meaning_digest(repository, view, feature),
                text_digest(view, feature),
                _facts(effective(view, feature)),
            ]
            for feature in view.features
        ),
        "facts": _facts(view.facts),
    }
    if isinstance(view, FeatureView):
        said["entities"] = list(view.entities)
        said["online"] = view.online
        said["kind"] = view.kind
        said["expectations"] = sorted([e.kind, e.arguments] for e in view.expectations)
    return digest(said)


def service_digest(service: FeatureService) -> str:
    """Everything a service says: what it reads in order, its state, owner and description."""
    return digest(
        {
            "name": service.name,
            "refs": list(service.refs),
            "state": service.state,
            "owner": service.owner,
            "description": service.description,
        }
    )


def column_expression(source: Source, column: str) -> str:
    """Canonical SQL of one column of a source with all that it depends on, to compare and to show.

    `column` is the source's own name for it. A request source gives `request.column`.
    """
    return _columns(source.history, (column,))


def transformation_digest(view: OnDemandView, feature: str | None = None) -> str:
    """The digest of an on-demand view's code, or of what one of its features needs of it."""
    if feature is None:
        return code_digest(view.code, view.entry)
    return code_digest(_part(view, feature), view.entry)


def _part(view: OnDemandView, feature: str) -> str:
    """The code that one feature of the view needs."""
    names = frozenset(f.name for f in view.features)
    return sliced(view.code, view.entry, feature, names)


def _stored(view: FeatureView, feature: Feature) -> dict[str, Any]:
    source = view.source.history
    mapped = {name: column for column, name in source.field_mapping}
    keys = tuple(key.name for key in sorted(view.join_keys, key=lambda key: key.name))
    times = [source.timestamp_field, source.created_field]
    times += [source.tie_breaker] if source.tie_breaker else []
    named = [name for name in times if name]
    columns = (*keys, *named, mapped.get(feature.name, feature.name))
    return {
        "keys": _keys(view.join_keys),
        "values": _columns(source, columns),
        "times": times,
        "written by": view.source.kind if view.source.batch is not None else "batch",
        "ttl": None if view.ttl_seconds is None else float(view.ttl_seconds),
    }


def _computed(repository: Repository, view: OnDemandView, feature: Feature) -> dict[str, Any]:
    code = _part(view, feature.name)
    read = inputs_read(code, view.entry)
    inputs = used_inputs(view.inputs, read)
    asked = [key for key in view.request_fields if read is None or key.name in read]
    return {
        "output": feature.name,
        "mode": view.mode,
        "code": code_digest(code, view.entry),
        "inputs": sorted([ref, input_by(meaning_digest, repository, view, ref)] for ref in inputs),
        "request": _keys(tuple(asked)),
    }


def used_inputs(inputs: tuple[str, ...], read: frozenset[str] | None) -> tuple[str, ...]:
    """The references among `inputs` that code reads, by feature or `view__feature`.

    `read` None means that the code may read every one.
    """
    if read is None:
        return inputs
    spelled = {text: {text.partition(":")[2], text.replace(":", "__")} for text in inputs}
    return tuple(text for text in inputs if spelled[text] & read)


def input_by(describe: Describe, repository: Repository, view: OnDemandView, text: str) -> str:
    """What `describe` says of an input of `view`; its own reference where the repository does not
    define it."""
    try:
        ref = parse_ref(text)
    except FieldhouseError:
        return text
    holders: list[FeatureView | OnDemandView] = [*repository.views, *repository.on_demand]
    for holder in holders:
        found = next((f for f in holder.features if f.name == ref.feature), None)
        if holder.name == ref.view and found is not None and holder is not view:
            return describe(repository, holder, found)
    return text


def _columns(source: Source, columns: tuple[str, ...]) -> str:
    if source.kind == "sql" and source.query is not None:
        return column_text(source.query, columns)
    origin = source.table or source.kind
    return ", ".join(f"{origin}.{column}" for column in columns)


def _keys(keys: tuple[JoinKey, ...]) -> list[list[str]]:
    return sorted([key.name, key.dtype] for key in keys)


def _value(value: Any) -> list[Any] | None:
    """A default with its type, since 1, 1.0 and True are not the same."""
    return None if value is None else [type(value).__name__, value]


def _facts(facts: Governance) -> list[Any]:
    return [
        facts.owner,
        facts.description,
        facts.unit,
        facts.sensitivity,
        facts.state,
        facts.sunset.isoformat() if facts.sunset else None,
        facts.replaced_by,
        *([facts.moved_from] if facts.moved_from else []),
        facts.reason,
        facts.staleness,
        _value(facts.default),
        facts.version,
    ]
