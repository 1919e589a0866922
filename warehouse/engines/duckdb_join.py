"""The point-in-time join over DuckDB: DuckDB scans a history's keys and times, numpy slots them.

The payload of the rows found is fetched afterwards: from Parquet directly where stored and declared
type mean the same, else by DuckDB, which knows how to cast.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.types import arrow_type
from warehouse import sql
from warehouse.asof import AsOfPlan
from warehouse.engines.arrays import int64s, numpy_of
from warehouse.engines.matches import Matches
from warehouse.engines.newest import NewestRows, Part, Winners, winners_of
from warehouse.engines.payload import can_fetch, fetch_columns
from warehouse.engines.slots import Int64s, SpineOrder, order_spine
from warehouse.engines.spine_keys import SpineKeys, encode_keys
from warehouse.history import HistoryColumn

Connection = duckdb.DuckDBPyConnection
SCAN_ROWS = 245_760  # two of DuckDB's row groups
_SPREAD = 1 << 28  # so many integer keys leave 34 bits for times, and are no worse than codes


@dataclass(frozen=True, slots=True)
class DuckDBJoin:
    """One view's join: a cursor that nobody else uses, the plan, and where the history lies."""

    cursor: Connection
    plan: AsOfPlan
    relation: sql.Relation
    files: Sequence[str]
    threads: int = 1
    scan_rows: int = SCAN_ROWS

    def match(self, spine: pa.Table, with_expired: bool) -> Matches:
        """Which history row each spine row takes; `spine` is `ready_spine`'s."""
        keys, order = self._ordered(spine)
        if not order.count:
            return Matches.nothing(spine.num_rows)
        bounds = self._bounds(keys, order, with_expired)
        if keys.table is not None:
            self.cursor.register(sql.CODES, keys.table)
        newest = NewestRows(order, self.plan.history.created is not None)
        with ThreadPoolExecutor(self.threads) as pool:
            for found in _in_order(pool, order, self._parts(bounds)):
                newest.offer(found)
        taken = newest.carry(in_order=self.plan.history.created is None)
        if newest.tied.any():
            self._settle_ties(newest, taken, bounds)
        return Matches.of(newest, taken, self.plan.ttl)

    def fetch(self, found: Matches, columns: Sequence[HistoryColumn]) -> list[pa.ChunkedArray]:
        """The columns' values at the matches' positions, in the order of those."""
        plain = set(can_fetch(self.files, columns))
        direct = [column for column in columns if column in plain]
        other = [column for column in columns if column not in plain]
        with ThreadPoolExecutor(self.threads) as pool:
            values = dict(
                zip(direct, fetch_columns(self.files, direct, found.positions, pool), strict=True)
                if direct
                else ()
            )
        if other:
            values |= zip(other, self._fetch_cast(found, other), strict=True)
        return [values[column] for column in columns]

    def _ordered(self, spine: pa.Table) -> tuple[SpineKeys, SpineOrder]:
        times = spine.column("t")
        names = [name for name in spine.column_names if name.startswith("k")]
        keys = encode_keys([spine.column(name) for name in names], times.is_valid(), _SPREAD)
        known = times.drop_null() if times.null_count else times
        ticks = numpy_of(known) if len(keys.positions) == len(known) else None
        if ticks is None:
            ticks = numpy_of(times.take(int64s(keys.positions)))
        low = self._first_event() if len(ticks) else 0
        return keys, order_spine(spine.num_rows, keys.positions, keys.codes, ticks, low)

    def _first_event(self) -> int:
        """The ticks of the oldest event, from which all times are counted; zero for none."""
        text = sql.first_event(self.plan, self.relation)
        ((first,),) = self.cursor.execute(text).fetchall()
        return int(first) if first is not None else 0

    def _bounds(self, keys: SpineKeys, order: SpineOrder, with_expired: bool) -> sql.Bounds:
        earliest = None
        if self.plan.ttl is not None and not with_expired:
            earliest = int(order.times.min()) - self.plan.ttl
        latest = int(order.times.max())
        if keys.table is not None:
            return sql.Bounds(latest, earliest)
        return sql.Bounds(latest, earliest, keys.least, keys.greatest)

    def _parts(self, bounds: sql.Bounds) -> Iterator[Part]:
        text = sql.scan(self.plan, self.relation, bounds)
        for batch in self.cursor.sql(text).to_arrow_reader(self.scan_rows):
            if not batch.num_rows:
                continue
            columns = {name: numpy_of(batch.column(name)) for name in batch.schema.names}
            event, created = columns["event"], columns.get("created")
            seen = None
            if created is not None and self.plan.late_rows:
                seen = np.maximum(event, created)
            yield Part(columns["code"], event, columns["pos"], created, seen)

    def _settle_ties(self, newest: NewestRows, taken: Int64s, bounds: sql.Bounds) -> None:
        """Give each slot that is taken, and whose row shares its times, the row of most values."""
        slots = np.unique(taken[taken >= 0])
        slots = slots[newest.tied[slots]]
        if not len(slots):
            return
        same = {
            "slot": slots,
            "code": newest.order.marks[slots] >> newest.order.bits,
            "event": newest.event[slots],
            "created": newest.created[slots],
        }
        self.cursor.register(
            sql.SAME, pa.table({name: int64s(values) for name, values in same.items()})
        )
        self.cursor.execute(sql.make_tied_history(self.plan, self.relation, bounds))
        self.cursor.execute(sql.keep_tied(self.plan, self.relation))
        self.cursor.execute(sql.drop_losers())
        won = self.cursor.sql(sql.winners_of_ties(self.plan, bounds)).to_arrow_table()
        newest.position[numpy_of(won.column("slot"))] = numpy_of(won.column("pos"))

    def _fetch_cast(
        self, found: Matches, columns: Sequence[HistoryColumn]
    ) -> list[pa.ChunkedArray]:
        slots = np.arange(len(found.positions), dtype=np.int64)
        self.cursor.register(
            sql.WANTED, pa.table({"pos": int64s(found.positions), "slot": int64s(slots)})
        )
        payload = self.cursor.sql(sql.fetch(self.relation, columns)).to_arrow_table()
        order = pc.sort_indices(payload.column("slot"))
        return [
            payload.column(f"v{place}").cast(arrow_type(column.dtype)).take(order)
            for place, column in enumerate(columns)
        ]


def _in_order(
    pool: ThreadPoolExecutor, order: SpineOrder, parts: Iterator[Part]
) -> Iterator[Winners]:
    """The winners of each part, some parts being worked on at once."""
    waiting: deque[Future[Winners]] = deque()
    for part in parts:
        waiting.append(pool.submit(winners_of, order, part))
        if len(waiting) > 2:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
