"""The plan of a point-in-time join, apart from any engine: what is compared with what. Pure.

For a spine row of time t, among the history rows of its key, the row taken is the newest by
(event time, created time, tie breaker, features in order of name) of those with event ≤ t and
created ≤ t; it counts when event ≥ t - ttl. A row becomes *visible* at max(event, created). With an
as-of instant, created is held against that instead, and rows are visible from their event time on.
A null key or time finds nothing and is never found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from registry.core.published import PublishedView
from registry.kernel.errors import Invalid, NotFound
from warehouse.history import History, HistoryColumn, history_of
from warehouse.instants import Unit, check_time, is_nanoseconds, ticks_of, ticks_of_seconds


@dataclass(frozen=True, slots=True)
class AsOfPlan:
    """One view's join. `ttl` and `created_until` are ticks of `unit`, None for no bound."""

    history: History
    features: tuple[HistoryColumn, ...]
    unit: Unit
    ttl: int | None = None
    created_until: int | None = None

    @property
    def late_rows(self) -> bool:
        """Whether a row can become visible later than its event time."""
        return self.history.created is not None and self.created_until is None


def plan_as_of(
    view: PublishedView,
    features: Sequence[str],
    source: pa.Schema,
    spine_time: pa.DataType | None = None,
    as_of: datetime | None = None,
) -> AsOfPlan:
    """Plan a view's join to a spine whose times are of `spine_time`.

    `source` is the schema of the view's source. Raises `NotFound` for a column or feature that does
    not exist and `Invalid` for one of the wrong type, or an as-of without created times.
    """
    history = history_of(view)
    check_source(view, history, source)
    check_as_of(view, history, as_of)
    types = [source.field(history.event).type]
    types += [source.field(history.created).type] if history.created else []
    types += [spine_time] if spine_time is not None else []
    unit: Unit = "ns" if any(map(is_nanoseconds, types)) else "us"
    return AsOfPlan(
        history=history,
        features=history.choose(features),
        unit=unit,
        ttl=None if view.ttl_seconds is None else ticks_of_seconds(view.ttl_seconds, unit),
        created_until=None if as_of is None else ticks_of(as_of, unit),
    )


def check_source(view: PublishedView, history: History, source: pa.Schema) -> None:
    """Raise unless the source has every column the view needs, with types that can be used."""
    for column in history.columns():
        if column not in source.names:
            what = f"column of source {history.source.name!r} (view {view.key!r})"
            raise NotFound(what, column, source.names, "the source changed, or the view misspells")
    times = (history.event, *((history.created,) if history.created else ()))
    for column in times:
        check_time(column, source.field(column).type, f"source {history.source.name!r}")
    for key in history.keys:
        check_key(key, source.field(key.source_column).type, f"source {history.source.name!r}")


def check_as_of(view: PublishedView, history: History, as_of: datetime | None) -> None:
    """Raise `Invalid` for an as-of instant where nothing says when rows were created."""
    if as_of is not None and history.created is None:
        raise Invalid(
            f"view {view.key!r} cannot be read as of {as_of.isoformat()}",
            f"its source {history.source.name!r} does not say when its rows were created",
            "name a created_timestamp_column in the source, or leave as_of out",
        )


def check_key(key: HistoryColumn, arrow: pa.DataType, whose: str) -> None:
    """Raise `Invalid` when a key column is of another kind than the view declares."""
    if pa.types.is_null(arrow) or key_kind(arrow) == _KINDS.get(key.dtype, key.dtype):
        return
    if _KINDS.get(key.dtype) == "number" and pa.types.is_floating(arrow):
        return
    raise Invalid(
        f"{whose}: join key {key.source_column!r} is {arrow}",
        f"the feature view says {key.dtype}",
        "convert one of them, so that both are numbers or both are text",
    )


_KINDS = {"int32": "number", "int64": "number", "string": "text", "uuid": "text"}


def key_kind(arrow: pa.DataType) -> str:
    """`number`, `text`, or the name of the type."""
    if pa.types.is_dictionary(arrow):
        return key_kind(arrow.value_type)
    if pa.types.is_integer(arrow) or pa.types.is_decimal(arrow):
        return "number"
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if any(matches(arrow) for matches in text):
        return "text"
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    if any(matches(arrow) for matches in binary):
        return "bytes"
    if pa.types.is_timestamp(arrow) or pa.types.is_date(arrow):
        return "timestamp"
    names = {pa.bool_(): "bool", pa.float32(): "float32", pa.float64(): "float64"}
    return names.get(arrow, str(arrow))
