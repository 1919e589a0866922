"""A warehouse in memory whose joins are plain loops: slow, and right for all to see. For tests.

It is an engine like the others, so tests of other rooms may use it; comparing the real ones with it
is what the property tests do. SQL is beyond it; `tests/plain_engine.py` adds that.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.errors import Invalid, Misuse, NotFound, Refused
from registry.kernel.types import arrow_type
from warehouse.appends import fitted
from warehouse.asof import plan_as_of
from warehouse.content import content_hash
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED
from warehouse.engines.spines import check_spine, ready_spine
from warehouse.history import History, HistoryColumn, history_of

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One history row with its times as they count."""

    key: tuple[Any, ...]
    event: datetime
    created: datetime
    values: Mapping[str, Any]
    tie: Any = None

    @property
    def visible(self) -> datetime:
        return max(self.event, self.created)

    @property
    def age(self) -> tuple[Any, ...]:
        """What the newest row has most of: event, created, tie breaker, features by name."""
        ranked = tuple(_rank(self.values[name]) for name in sorted(self.values))
        return (self.event, self.created, _rank(self.tie), ranked)


@dataclass(frozen=True, slots=True)
class InMemoryEngine:
    """The engine port over tables in a dict. Times are compared as Python's datetimes, so to the
    microsecond."""

    content: Mapping[str, pa.Table] = field(default_factory=dict)
    time_zone: str = "UTC"
    pins: Mapping[Source, Path] = field(default_factory=dict)
    name: str = "memory"
    added: set[tuple[str, str]] = field(default_factory=set)

    def schema(self, source: Source) -> pa.Schema:
        return self._table(source).schema

    def tables(self) -> Mapping[str, pa.Schema]:
        return {name: table.schema for name, table in self.content.items()}

    def query(self, sql: str) -> pa.Table:
        raise Misuse("the in-memory warehouse knows no SQL", sql)

    def read_query(self, sql: str) -> AbstractContextManager[pa.RecordBatchReader]:
        raise Misuse("the in-memory warehouse knows no SQL", sql)

    def rows_between(
        self,
        source: Source,
        columns: Sequence[str],
        time_column: str,
        start: datetime | None,
        end: datetime | None,
        *,
        newest_of: Sequence[str] | None = None,
        newest_by: Sequence[str] = (),
    ) -> pa.Table:
        table = self._table(source)
        least, most = to_utc(start, "UTC", 0), to_utc(end, "UTC", 0)
        kept: dict[Any, Row] = {}
        for place, row in enumerate(table.to_pylist()):
            at = to_utc(row[time_column], self.time_zone, fold=1)
            if at is None or (least and at < least) or (most and at > most):
                continue
            key = place if newest_of is None else tuple(row[name] for name in newest_of)
            known = kept.get(key)
            if known is None or _newness(row, newest_by) > _newness(known, newest_by):
                kept[key] = row
        return pa.Table.from_pylist(list(kept.values()), table.schema).select(list(columns))

    def mark(self, source: Source) -> str | None:
        table = self._table(source)
        return content_hash(table.to_reader())

    @contextmanager
    def read(
        self, source: Source, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatchReader]:
        table = self._table(source)
        missing = [name for name in columns or () if name not in table.column_names]
        if missing:
            raise Invalid(f"cannot read source {source.name!r}", f"it has no {', '.join(missing)}")
        yield (table.select(list(columns)) if columns is not None else table).to_reader()

    def append(self, source: Source, rows: pa.Table, name: str) -> bool:
        if source.kind == "sql":
            raise Refused(f"rows cannot be added to source {source.name!r}", "it is a query")
        table = source.table or source.name
        if (table, name) in self.added:
            return False
        known = self.content.get(table)
        more = fitted(rows, None if known is None else known.schema, table)
        whole = more if known is None else pa.concat_tables([known, more])
        self.content[table] = whole  # type: ignore[index]
        self.added.add((table, name))
        return True

    def pinned(self, files: Mapping[Source, Path]) -> "InMemoryEngine":
        return replace(self, pins={**self.pins, **files})

    def as_of(
        self,
        spine: pa.Table,
        time_column: str,
        view: PublishedView,
        features: Sequence[str],
        *,
        as_of: datetime | None = None,
        with_expired: bool = False,
    ) -> pa.Table:
        check_spine(spine, time_column, view)
        time = spine.schema.field(time_column).type
        plan = plan_as_of(view, features, self.schema(view.source.history), time, as_of)
        history, chosen = plan.history, plan.features
        ready_spine(spine, time_column, history.keys, plan, self.time_zone)
        events = self._events(history)
        ttl = None if view.ttl_seconds is None else timedelta(seconds=view.ttl_seconds)
        found, expired = [], []
        for row in spine.select(_needed(history, time_column)).to_pylist():
            at = to_utc(row[time_column], self.time_zone, fold=0)
            newest = find(events, tuple(row[key.name] for key in history.keys), at, as_of)
            late = newest is not None and ttl is not None and newest.event < at - ttl
            expired.append(late)
            found.append(None if late else newest)
        answer = _answer(found, chosen)
        if not with_expired:
            return answer
        return answer.append_column(EXPIRED, pa.array(expired, pa.bool_()))

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader:
        history = history_of(view)
        newest: dict[tuple[Any, ...], Event] = {}
        for event in self._events(history):
            if event.visible <= until and (since is None or event.visible > since):
                known = newest.get(event.key)
                newest[event.key] = max(known, event, key=lambda e: e.age) if known else event
        columns = history.choose([feature.name for feature in view.features])
        ordered = sorted(newest.values(), key=lambda event: [_rank(part) for part in event.key])
        answer = _answer(ordered, columns)
        for place, key in enumerate(history.keys):
            keys = pa.array([event.key[place] for event in ordered], arrow_type(key.dtype))
            answer = answer.add_column(place, key.name, keys)
        return answer.to_reader()

    def _table(self, source: Source) -> pa.Table:
        if source in self.pins:
            return pq.read_table(self.pins[source])
        name = source.table or source.name
        if name not in self.content:
            raise NotFound("warehouse table", name, self.content)
        return self.content[name]

    def _events(self, history: History) -> list[Event]:
        rows = self._table(history.source).to_pylist()
        events = (_event(row, history, self.time_zone) for row in rows)
        return [event for event in events if event is not None]


def find(
    events: Sequence[Event], key: tuple[Any, ...], at: datetime | None, as_of: datetime | None
) -> Event | None:
    """The newest of a key's rows that had happened, and were known, at `at`."""
    if at is None or None in key:
        return None
    known_by = as_of if as_of is not None else at
    known = [e for e in events if e.key == key and e.event <= at and e.created <= known_by]
    return max(known, key=lambda event: event.age, default=None)


def to_utc(value: Any, zone: str, fold: int) -> Any:
    """An aware UTC datetime; one without a zone is of `zone`, `fold` says which doubtful hour."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone), fold=fold)
    return value.astimezone(UTC)


def _event(row: Row, history: History, zone: str) -> Event | None:
    key = tuple(row[column.source_column] for column in history.keys)
    event = to_utc(row[history.event], zone, fold=1)
    created = to_utc(row[history.created], zone, fold=1) if history.created else None
    if event is None or None in key:
        return None
    values = {c.name: row[c.source_column] for c in history.features}
    tie = row[history.tie_breaker] if history.tie_breaker else None
    return Event(key, event, created if created is not None else event, values, tie)


def _rank(value: Any) -> tuple[Any, ...]:
    """Nulls lose against everything, NaN wins; lists compare element by element."""
    if value is None:
        return (0,)
    if isinstance(value, float) and math.isnan(value):
        return (2,)
    if isinstance(value, list):
        return (1, [_rank(item) for item in value])
    return (1, value)


def _newness(row: Row, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return [_rank(row[name]) for name in columns]


def _needed(history: History, time_column: str) -> list[str]:
    return list(dict.fromkeys([time_column, *(key.name for key in history.keys)]))


def _answer(found: Sequence[Event | None], columns: Sequence[HistoryColumn]) -> pa.Table:
    made = {
        column.name: pa.array(
            [event.values[column.name] if event else None for event in found],
            arrow_type(column.dtype),
        )
        for column in columns
    }
    instant = pa.timestamp("us", tz="UTC")
    made[EVENT_TIME] = pa.array([event.event if event else None for event in found], instant)
    made[CREATED_TIME] = pa.array([event.created if event else None for event in found], instant)
    return pa.table(made)
