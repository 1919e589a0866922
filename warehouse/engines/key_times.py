"""Keys and times of a history read from Parquet as parts, where stored types need no engine.

Row groups that no spine row can need are left out by their statistics. Knows no SQL.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa

from warehouse.asof import AsOfPlan
from warehouse.engines.ahead import ahead
from warehouse.engines.arrays import numpy_of, valid_of
from warehouse.engines.key_codes import KeyCodes, key_codes
from warehouse.engines.parquet_groups import RowGroup, reading
from warehouse.engines.parts import Bools, Bounds, Int64s, Part
from warehouse.engines.spine_keys import SpineKeys
from warehouse.history import HistoryColumn
from warehouse.instants import NANOSECOND_RANGE, UTC_NAMES, Unit

_PART_ROWS = 32_768  # what is made of a part then stays in the caches
_SLICE_ROWS = 262_144
_LARGE_ROWS = 1 << 20
_PER_MILLISECOND = {"milliseconds": 1, "microseconds": 1_000, "nanoseconds": 1_000_000}


@dataclass(frozen=True)
class Wanted:
    """What a view's join looks for: the spine's keys, and bounds of what they may take."""

    plan: AsOfPlan
    keys: SpineKeys
    bounds: Bounds

    @cached_property
    def codes(self) -> KeyCodes:
        """What gives each row the code of its key; made once, before threads ask for it."""
        return key_codes(self.keys)


def can_scan(schemas: Sequence[pa.Schema], wanted: Wanted, zone: str) -> bool:
    """Whether keys are whole numbers or texts, and times mean the same here."""
    history, unit = wanted.plan.history, wanted.plan.unit
    times = [history.event, *([history.created] if history.created else [])]
    return all(
        all(_is_time(schema, name, unit, zone) for name in times)
        and all(_is_plain_key(schema, key) for key in history.keys)
        for schema in schemas
    )


def in_time_order(groups: Sequence[RowGroup], wanted: Wanted) -> tuple[list[RowGroup], bool]:
    """The row groups that may hold wanted rows, by time where statistics tell; and whether no two
    overlap in time, as far as is known."""
    event = wanted.plan.history.event
    spans = [(_span(group, event, wanted.plan.unit), group) for group in groups]
    if any(span is None for span, _ in spans):
        return [group for _, group in spans], True
    known = sorted(
        ((span, group) for span, group in spans if span is not None and _meets(span, wanted)),
        key=lambda pair: pair[0],
    )
    rising = all(before[1] <= after[0] for (before, _), (after, _) in pairwise(known))
    return [group for _, group in known], rising


def scan(groups: Sequence[RowGroup], wanted: Wanted, pool: Executor) -> Iterator[Part]:
    """The wanted rows, of each row group in turn, those of large ones in slices."""
    _ = wanted.codes
    parts = chain.from_iterable(ahead(pool, lambda group: _read(group, wanted), groups))
    return (part for part in parts if len(part.event))


def _read(group: RowGroup, wanted: Wanted) -> Iterable[Part]:
    """A row group's parts: read now or, of a large one, when they are asked for."""
    parts = _slices(group, wanted)
    return parts if group.rows > _LARGE_ROWS else list(parts)


def _slices(group: RowGroup, wanted: Wanted) -> Iterator[Part]:
    names, texts = _names(wanted.plan), _texts(wanted.plan)
    with reading():
        if group.rows <= _LARGE_ROWS:
            yield from _parts(group.read(names, texts), group.start, wanted)
            return
        start = group.start
        for batch in group.batches(names, _SLICE_ROWS, texts):
            yield from _parts(pa.Table.from_batches([batch]), start, wanted)
            start += batch.num_rows


def _parts(table: pa.Table, start: int, wanted: Wanted) -> Iterator[Part]:
    keys = [table.column(key.source_column) for key in wanted.plan.history.keys]
    codes = wanted.codes(keys) if keys else np.zeros(table.num_rows, dtype=np.int64)
    for first in range(0, table.num_rows, _PART_ROWS):
        rows = slice(first, first + _PART_ROWS)
        yield _part(table.slice(first, _PART_ROWS), codes[rows], start + first, wanted)


def _names(plan: AsOfPlan) -> list[str]:
    history = plan.history
    created = [history.created] if history.created else []
    names = [history.event, *created, *(key.source_column for key in history.keys)]
    return list(dict.fromkeys(names))


def _texts(plan: AsOfPlan) -> tuple[str, ...]:
    return tuple(key.source_column for key in plan.history.keys if key.dtype == "string")


def _part(table: pa.Table, codes: Int64s, start: int, wanted: Wanted) -> Part:
    """The wanted rows of a table whose first row's position is `start`."""
    plan = wanted.plan
    history = plan.history
    event = _ticks(table.column(history.event), plan.unit)
    created = seen = None
    if history.created:
        column = table.column(history.created)
        created = np.where(valid_of(column), _ticks(column, plan.unit), event)
        seen = np.maximum(event, created) if plan.late_rows else None
    position = np.arange(start, start + table.num_rows)
    part = Part(codes, event, position, created, seen)
    kept = _kept(table, part, wanted)
    return part if kept.all() else part.chosen(kept)


def _kept(table: pa.Table, part: Part, wanted: Wanted) -> Bools:
    """Which rows have key and times at all, and such as a spine row may ask for."""
    history = wanted.plan.history
    kept = part.codes.view(np.uint64) < wanted.keys.count
    kept &= (part.event if part.seen is None else part.seen) <= wanted.bounds.latest
    if wanted.bounds.earliest is not None:
        kept &= part.event >= wanted.bounds.earliest
    if part.created is not None and wanted.plan.created_until is not None:
        kept &= part.created <= wanted.plan.created_until
    for name in (history.event, *(key.source_column for key in history.keys)):
        if table.column(name).null_count:
            kept &= valid_of(table.column(name))
    return kept


def _ticks(column: pa.ChunkedArray, unit: Unit) -> Int64s:
    """Ticks of a column of times; those that nanoseconds cannot hold become the last that they
    can."""
    ticks: Int64s = numpy_of(column, np.int64)
    if column.type.unit == unit:
        return ticks
    return np.clip(ticks, *NANOSECOND_RANGE) * 1_000


def _is_time(schema: pa.Schema, name: str, unit: Unit, zone: str) -> bool:
    if schema.names.count(name) != 1:
        return False
    arrow = schema.field(name).type
    if not pa.types.is_timestamp(arrow) or (arrow.tz is None and zone not in UTC_NAMES):
        return False
    return bool(arrow.unit == unit or (arrow.unit == "us" and unit == "ns"))


def _is_plain_key(schema: pa.Schema, key: HistoryColumn) -> bool:
    if schema.names.count(key.source_column) != 1:
        return False
    stored = schema.field(key.source_column).type
    if key.dtype in ("int32", "int64"):
        return bool(pa.types.is_signed_integer(stored))
    return key.dtype == "string" and _is_text(stored)


def _is_text(stored: pa.DataType) -> bool:
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))


def _meets(span: tuple[int, int], wanted: Wanted) -> bool:
    """Whether events of a span of time, ends included, can be wanted."""
    low, high = span
    return low <= wanted.bounds.latest and (
        wanted.bounds.earliest is None or high >= wanted.bounds.earliest
    )


def _span(group: RowGroup, column: str, unit: Unit) -> tuple[int, int] | None:
    """The least and greatest ticks of a column of times by the file's statistics."""
    schema = group.metadata.schema
    place = next((n for n in range(len(schema)) if schema.column(n).path == column), None)
    if place is None:
        return None
    found = group.metadata.row_group(group.number).column(place).statistics
    stored = json.loads(schema.column(place).logical_type.to_json()).get("timeUnit")
    if found is None or not found.has_min_max or found.physical_type != "INT64":
        return None
    per, own = (
        _PER_MILLISECOND[f"{'micro' if unit == 'us' else 'nano'}seconds"],
        _PER_MILLISECOND.get(stored),
    )
    if own is None or own > per:
        return None
    return found.min_raw * (per // own), found.max_raw * (per // own)
