"""Lookup results as an Arrow IPC stream. Loaded when somebody first asks for one."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from featureserver.answer import INVALID, NOT_FOUND, NULL_VALUE, OUTSIDE_MAX_AGE, PRESENT, Column
from featureserver.lookup import LookupResult
from featureserver.values import convert, from_wire
from registry.kernel.errors import Invalid
from registry.kernel.types import arrow_type

STATUSES = (INVALID, PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE)
_CODES = {name: code for code, name in enumerate(STATUSES)}
_INSTANT = pa.timestamp("us", tz="UTC")
_AS_WIRE = frozenset({"bool", "int32", "int64", "float32", "float64", "string", "uuid", "json"})


def to_arrow(result: LookupResult) -> pa.Table:
    """A row per entity: the entities; then each feature; then `NAME__status` (dictionary) and
    `NAME__event_timestamp` (UTC, null where no row was found) of each feature."""
    dtypes = result.plan.entity_names
    columns: dict[str, Any] = {
        name: _entity(name, dtypes[name], values) for name, values in result.entities.items()
    }
    columns.update((column.name, _values(column)) for column in result.columns)
    events: dict[int, pa.Array] = {}
    for column in result.columns:
        columns[f"{column.name}__status"] = _statuses(column)
        found = events.get(id(column.events))
        if found is None:
            found = events[id(column.events)] = _events(column.events)
        columns[f"{column.name}__event_timestamp"] = found
    return pa.table(columns)


def render_arrow(result: LookupResult) -> bytes:
    """The table as an IPC stream of one batch; its schema's metadata has the view versions."""
    table = to_arrow(result)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole: bytes = sink.getvalue().to_pybytes()
    return whole


def _values(column: Column) -> pa.Array:
    kind = arrow_type(column.dtype)
    if column.dtype in _AS_WIRE:
        return pa.array(column.wire, kind)
    if column.dtype == "timestamp":
        return pa.array(column.wire, pa.int64()).cast(kind)
    if column.dtype in ("map", "struct"):
        import json

        return pa.array([None if v is None else json.dumps(v) for v in column.wire], kind)
    return pa.array(list(convert(column.wire, from_wire(column.dtype))), kind)


def _entity(name: str, dtype: str, values: Sequence[Any]) -> pa.Array:
    """Entities as they came: by their declared type where Arrow takes them so."""
    try:
        return pa.array(values, arrow_type(dtype))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"entity {name!r} cannot be told in Arrow", str(error)) from error


def _statuses(column: Column) -> pa.Array:
    count = len(column.wire)
    codes = (
        [_CODES[PRESENT]] * count
        if column.marks is None
        else [_CODES[mark] for mark in column.marks]
    )
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(STATUSES))


def _events(events: Sequence[int]) -> pa.Array:
    return pa.array([event or None for event in events], pa.int64()).cast(_INSTANT)
