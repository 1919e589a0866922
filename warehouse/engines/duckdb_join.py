"""The point-in-time join of one view: keys and times are scanned and matched, then the payload of
the rows found is fetched.

Parquet is read directly where stored and declared types mean the same, else by DuckDB, which knows
how to cast. History that comes in order of time is matched as such, any other as it comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import pyarrow as pa

from warehouse.asof import AsOfPlan
from warehouse.engines.ahead import ahead
from warehouse.engines.arrays import int64s, numpy_of
from warehouse.engines.duckdb_history import DuckDBHistory
from warehouse.engines.key_times import Wanted, can_scan, in_time_order, scan
from warehouse.engines.matches import Fetch, Matches
from warehouse.engines.newest import NewestRows, newer_of, winners_of
from warehouse.engines.parquet_groups import RowGroup, row_groups
from warehouse.engines.parts import Asked, Bounds, Found, Int64s, Part
from warehouse.engines.payload import AllWanted, can_fetch, fetch_columns, wanted_of
from warehouse.engines.rising import RisingRows, by_time, match_within
from warehouse.engines.slots import order_spine
from warehouse.engines.spine_keys import SpineKeys, encode_keys
from warehouse.engines.stretches import Late, NotRising, in_order, stretches
from warehouse.engines.time_order import TimeOrder
from warehouse.history import HistoryColumn

SCAN_ROWS = 245_760  # two of DuckDB's row groups
_FEW_LATE = 1 << 20  # or as many as spine rows may be set aside, as keys and times in memory
_SPREAD = 1 << 22  # integer keys that spread no further, or no more than spine rows, are codes


@dataclass(frozen=True)
class DuckDBJoin:
    """One view's join: the history, the files where it lies, how many rows DuckDB gives at once;
    the order of the spine's times, if they have been sorted before."""

    history: DuckDBHistory
    files: Sequence[str]
    scan_rows: int = SCAN_ROWS
    known: TimeOrder = field(default_factory=TimeOrder)

    @cached_property
    def groups(self) -> list[RowGroup]:
        return row_groups(self.files)

    @cached_property
    def schemas(self) -> list[pa.Schema]:
        return [group.metadata.schema.to_arrow_schema() for group in _first_of_each(self.groups)]

    @property
    def plan(self) -> AsOfPlan:
        return self.history.plan

    def match(self, spine: pa.Table, with_expired: bool, pool: Executor) -> Matches:
        """Which history row each spine row takes; `spine` is `ready_spine`'s."""
        keys, asked = _asked(spine)
        if not len(asked.at):
            return Matches.nothing(spine.num_rows)
        if keys.table is not None:
            self.history.know_codes(keys.table)
        wanted = Wanted(self.plan, keys, self._bounds(keys, asked, with_expired))
        found = self._rising(asked, wanted, pool)
        if found is None:
            found = self._in_any_order(asked, wanted, pool)
        return Matches.of(self._settled(found, wanted.bounds), self.plan.ttl)

    def fetch(self, found: Matches, pool: Executor) -> Fetch:
        """What gives columns' values for each spine row, null where nothing was found."""
        wanted = wanted_of(self.groups, found.source, pool)
        return partial(self._fetch, found.source, wanted, pool)

    def _bounds(self, keys: SpineKeys, asked: Asked, with_expired: bool) -> Bounds:
        earliest = None
        if self.plan.ttl is not None and not with_expired:
            earliest = int(asked.times.min()) - self.plan.ttl
        latest = int(asked.times.max())
        if keys.table is not None:
            return Bounds(latest, earliest)
        return Bounds(latest, earliest, keys.least, keys.greatest)

    def _rising(self, asked: Asked, wanted: Wanted, pool: Executor) -> Found | None:
        """What is found in history that comes in order of time; None for any other."""
        parts, ordered = self._parts(wanted, pool)
        if not ordered:
            return None
        spine = by_time(asked, self.known)
        rising = RisingRows(spine, self.plan.history.created is not None)
        late = Late(max(_FEW_LATE, len(spine.at)))
        try:
            ready = stretches(ahead(pool, in_order, parts), late)
            for matched in ahead(pool, partial(match_within, spine), ready):
                rising.offer(matched)
        except NotRising:
            return None
        found = rising.found()
        return newer_of(found, self._slotted(asked, late.parts, pool)) if late.parts else found

    def _in_any_order(self, asked: Asked, wanted: Wanted, pool: Executor) -> Found:
        parts, _ = self._parts(wanted, pool)
        return self._slotted(asked, parts, pool)

    def _slotted(self, asked: Asked, parts: Iterable[Part], pool: Executor) -> Found:
        order = order_spine(asked, self.history.first_event())
        newest = NewestRows(order, self.plan.history.created is not None)
        for winners in ahead(pool, partial(winners_of, order), parts):
            newest.offer(winners)
        return newest.found(in_order=self.plan.history.created is None)

    def _parts(self, wanted: Wanted, pool: Executor) -> tuple[Iterator[Part], bool]:
        """The history's parts, and whether they may come in order of time."""
        if not can_scan(self.schemas, wanted, self.history.relation.zone):
            return self.history.parts(wanted.bounds, self.scan_rows), True
        groups, ordered = in_time_order(self.groups, wanted)
        return scan(groups, wanted, pool), ordered

    def _settled(self, found: Found, bounds: Bounds) -> Found:
        """The same, where a tie left several rows with the one of most values."""
        tied = np.flatnonzero(found.tied)
        if not len(tied):
            return found
        _, first, slot = np.unique(found.position[tied], return_index=True, return_inverse=True)
        rows = tied[first]
        same = {
            "slot": np.arange(len(rows)),
            "code": found.asked.codes[rows],
            "event": found.event[rows],
            "created": found.created[rows],
        }
        slots, won = self.history.winners(
            pa.table({name: int64s(values) for name, values in same.items()}), bounds
        )
        winners = found.position[rows]
        winners[slots] = won
        position = found.position.copy()
        position[tied] = winners[slot]
        return replace(found, position=position)

    def _fetch(
        self, source: Int64s, wanted: AllWanted, pool: Executor, columns: Sequence[HistoryColumn]
    ) -> list[pa.Array | pa.ChunkedArray]:
        direct = can_fetch(self.schemas, columns)
        other = [column for column in columns if column not in direct]
        values: dict[HistoryColumn, pa.Array | pa.ChunkedArray] = {}
        if direct:
            values |= zip(direct, fetch_columns(wanted, direct, pool), strict=True)
        if other:
            values |= zip(other, self._fetch_cast(source, other), strict=True)
        return [values[column] for column in columns]

    def _fetch_cast(
        self, source: Int64s, columns: Sequence[HistoryColumn]
    ) -> list[pa.Array | pa.ChunkedArray]:
        """By DuckDB: each source row once, then to the spine rows that take it."""
        missing = source < 0
        positions, slots = np.unique(source, return_inverse=True)
        nothing = int(missing.any())  # the first position is then -1
        taken = int64s(slots - nothing, missing)
        return [values.take(taken) for values in self.history.values(positions[nothing:], columns)]


def _asked(spine: pa.Table) -> tuple[SpineKeys, Asked]:
    """The spine's keys, encoded, and the rows that have key and time."""
    times = spine.column("t")
    names = [name for name in spine.column_names if name.startswith("k")]
    spread = max(_SPREAD, spine.num_rows)
    keys = encode_keys([spine.column(name) for name in names], times.is_valid(), spread)
    ticks = numpy_of(times)
    if len(keys.positions) < len(ticks):
        ticks = ticks[keys.positions]
    return keys, Asked(spine.num_rows, keys.positions, keys.codes, ticks, keys.count)


def _first_of_each(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """One row group of each file."""
    return list({group.file: group for group in groups}.values())
