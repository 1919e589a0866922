"""What makes two features one definition, whatever they are called. Pure.

A stored feature is the rows that it comes from: entity keys, event and created time, tie breaker
and value together, since the same column under other keys or at other times is another feature. An
on-demand feature is its code with names evened out, over what its inputs are in turn.
"""

from typing import Any

from registry.core.code_evened import evened_code
from registry.core.code_slice import inputs_read, sliced
from registry.core.definitions import Feature, FeatureView, OnDemandView, Repository, Source
from registry.core.digests import input_by, used_inputs
from registry.core.sql_lineage import column_text
from registry.kernel.canonical import digest


def definition_key(
    repository: Repository, view: FeatureView | OnDemandView, feature: Feature
) -> str:
    """Equal for features that are computed alike, for the same entities at the same times.

    Names of features, views and source columns, types, ttl and defaults do not count.
    """
    if isinstance(view, OnDemandView):
        return digest(["on demand", *_computed(repository, view, feature)])
    return digest(["stored", *_stored(view, feature)])


def definition_rows(view: FeatureView, feature: Feature) -> str:
    """Canonical SQL of a feature's rows: keys by name, then times, then the value."""
    return str(_stored(view, feature)[2])


def _stored(view: FeatureView, feature: Feature) -> list[Any]:
    source = view.source.history
    columns = {name: column for column, name in source.field_mapping}
    keys = sorted(key.name for key in view.join_keys)
    times = [source.timestamp_field, source.created_field, source.tie_breaker]
    wanted = [*keys, *(name for name in times if name), feature.name]
    text = _text(source, tuple(columns.get(name, name) for name in wanted))
    return [keys, [name is not None for name in times], text]


def _text(source: Source, columns: tuple[str, ...]) -> str:
    if source.kind == "sql" and source.query is not None:
        return column_text(source.query, columns)
    # What is pushed has no table: only the source's own name tells one from another.
    origin = source.table or f"{source.kind} {source.name}"
    return ", ".join(f"{origin}.{column}" for column in columns)


def _computed(repository: Repository, view: OnDemandView, feature: Feature) -> list[Any]:
    outputs = frozenset(f.name for f in view.features)
    code = sliced(view.code, view.entry, feature.name, outputs)
    read = inputs_read(code, view.entry)
    meanings: dict[str, Any] = {}
    for text in used_inputs(view.inputs, read):
        meaning = input_by(definition_key, repository, view, text)
        meanings |= {text.partition(":")[2]: meaning, text.replace(":", "__"): meaning}
    meanings |= {
        key.name: ["request", key.name, key.dtype]
        for key in view.request_fields
        if read is None or key.name in read
    }
    evened = evened_code(code, view.entry, feature.name, meanings if read is not None else {})
    unread = [] if read is not None else sorted(meanings.items(), key=str)
    return [view.mode, evened, unread]
