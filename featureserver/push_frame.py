"""A pushed frame (column to values) as keys and rows, or as rows of the warehouse. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from featureserver.instants import read_instant
from featureserver.keys import key_space
from featureserver.rows import pack
from featureserver.values import convert, from_wire, to_wire
from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid, Refused

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Mapping[str, Sequence[Any]]
_OBJECTS = ("map", "struct")


def pack_frame(view: PublishedView, frame: Frame) -> tuple[list[bytes], list[bytes]]:
    """Keys and rows of a frame; raises `Invalid` naming the column and the row at fault."""
    columns = _renamed(view, frame)
    count = _length(columns)
    schema = view.row_schema
    needed = [*(key.name for key in view.join_keys), *(name for name, _ in schema.columns)]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise Invalid(
            f"a push to {view.name!r} lacks {', '.join(missing)}",
            f"found: {', '.join(columns)}",
        )
    events, created = _event_times(view, columns), _created_times(view, columns)
    keys = key_space(view).keys(columns)
    if None in keys:
        raise Invalid(f"row {keys.index(None)}: a join key of {view.name!r} is null")
    rows = []
    for i in range(count):
        values = {name: columns[name][i] for name, _ in schema.columns}
        rows.append(pack(schema, values, events[i], created[i] if created else None))
    return [key for key in keys if key is not None], rows


def history_rows(
    views: Sequence[PublishedView], frame: Frame, now: datetime
) -> tuple[Source, "pa.Table", str]:
    """The batch source behind a push source's views, the frame as rows of it under the source's
    own column names, and a name that the same frame always has.

    Rows that say no created time were created `now`. Raises `Refused` when there is no table behind
    the views, `Invalid` for values that are not of a column's type.
    """
    import pyarrow as pa

    batch = _table_behind(views)
    types = _source_types(views, batch)
    back = {new: old for old, new in (*batch.field_mapping, *views[0].source.field_mapping)}
    given = {back.get(name, name): list(values) for name, values in frame.items()}
    count = _length(given)
    _name_event_time(given, batch)
    name = f"pushed-{digest([[k, [repr(v) for v in vs]] for k, vs in given.items()])[7:39]}"
    if batch.created_field:
        values = given.get(batch.created_field) or [None] * count
        given[batch.created_field] = [now if value is None else value for value in values]
    columns = {n: _array(n, values, types.get(n)) for n, values in given.items()}
    return batch, pa.table(columns), name


def _table_behind(views: Sequence[PublishedView]) -> Source:
    batch = views[0].source.batch
    if batch is None or batch.kind != "table":
        raise Refused(
            f"push source {views[0].source.name!r} has no table behind it to add rows to",
            hint="give it a batch source that is a table, or push to online alone",
        )
    return batch


def _source_types(views: Sequence[PublishedView], batch: Source) -> dict[str, str]:
    """The feature type of each column that some view reads, by the source's name for it."""
    back = {new: old for old, new in batch.field_mapping}
    known = [(k.name, k.dtype) for view in views for k in view.join_keys]
    known += [(f.name, f.dtype) for view in views for f in view.features]
    times = [name for name in (batch.timestamp_field, batch.created_field) if name]
    return {back.get(n, n): dtype for n, dtype in known} | dict.fromkeys(times, "timestamp")


def _name_event_time(given: dict[str, list[Any]], batch: Source) -> None:
    """Feast's clients call it `event_timestamp` whatever the source does; `created` likewise."""
    for theirs, ours in (
        ("event_timestamp", batch.timestamp_field),
        ("created", batch.created_field),
    ):
        if ours and ours not in given and theirs in given:
            given[ours] = given.pop(theirs)
    if batch.timestamp_field not in given:
        raise Invalid(f"a push to {batch.name!r} lacks its event time, {batch.timestamp_field!r}")


def _array(name: str, values: list[Any], dtype: str | None) -> "pa.Array":
    import pyarrow as pa

    from registry.kernel.types import arrow_type

    try:
        if dtype is None:
            return pa.array(values)
        wire = convert(values, to_wire("json" if dtype in _OBJECTS else dtype))
        return pa.array(convert(wire, from_wire(dtype)), arrow_type(dtype))
    except Invalid as error:
        raise Invalid(f"column {name!r}: {error.asked}", error.found, error.hint) from error
    except pa.ArrowException as error:
        raise Invalid(f"column {name!r} cannot be read", str(error)) from error


def _renamed(view: PublishedView, frame: Frame) -> dict[str, list[Any]]:
    mapping = dict(view.source.history.field_mapping) | dict(view.source.field_mapping)
    return {mapping.get(name, name): list(values) for name, values in frame.items()}


def _length(columns: Mapping[str, list[Any]]) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise Invalid("the columns of a push must be of one length", f"found {lengths}")
    return next(iter(lengths.values()))


def _event_times(view: PublishedView, columns: Mapping[str, list[Any]]) -> list[datetime]:
    names = (view.source.timestamp_field, view.source.history.timestamp_field, "event_timestamp")
    name = next((n for n in names if n and n in columns), None)
    if name is None:
        wanted = next(n for n in names if n)
        raise Invalid(f"a push to {view.name!r} lacks its event time, {wanted!r}")
    return [_instant(name, row, value) for row, value in enumerate(columns[name])]


def _created_times(view: PublishedView, columns: Mapping[str, list[Any]]) -> list[datetime | None]:
    names = (view.source.created_field, view.source.history.created_field, "created")
    name = next((n for n in names if n and n in columns), None)
    if name is None:
        return []
    return [
        None if value is None else _instant(name, row, value)
        for row, value in enumerate(columns[name])
    ]


def _instant(name: str, row: int, value: Any) -> datetime:
    instant = read_instant(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise Invalid(f"row {row}: {name!r} is {value!r}, not an instant", hint="write ISO 8601")
    return instant
