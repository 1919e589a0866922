"""What a join found, by position, and the answer put together from it. Pure Arrow and numpy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from registry.kernel.types import arrow_type
from warehouse.asof import AsOfPlan
from warehouse.engines.arrays import bools, int64s
from warehouse.engines.newest import NewestRows
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED
from warehouse.engines.slots import Int64s
from warehouse.history import HistoryColumn
from warehouse.instants import Unit, instants_of

Fetch = Callable[[Sequence[HistoryColumn]], list[pa.ChunkedArray]]
COLUMNS_AT_ONCE = 16
"""So many columns are fetched before the next: wide views cost no more memory than their answer."""


@dataclass(frozen=True, slots=True)
class Matches:
    """For each of `rows` spine rows the slot of its source row, -1 for none.

    `positions[slot]`, ascending, is where that source row lies. `event` and `created` are ticks per
    spine row, of meaning where `slots` is not -1. `expired` marks rows that only the ttl left out.
    """

    rows: int
    slots: Int64s
    positions: Int64s
    event: Int64s
    created: Int64s
    expired: npt.NDArray[np.bool_]

    @classmethod
    def nothing(cls, rows: int) -> "Matches":
        """No row found anything."""
        zeros = np.zeros(rows, dtype=np.int64)
        return cls(rows, zeros - 1, zeros[:0], zeros, zeros, np.zeros(rows, dtype=bool))

    @classmethod
    def of(cls, newest: NewestRows, taken: Int64s, ttl: int | None) -> "Matches":
        """From the newest rows and, per spine row in order of key and time, the slot it takes."""
        order = newest.order
        found = taken >= 0
        late = np.zeros(len(taken), dtype=bool)
        if ttl is not None:
            late = found & (newest.event[taken] < order.times - ttl)
            found &= ~late
        at, taken = order.order[found], taken[found]
        used = np.zeros(order.count, dtype=bool)
        used[taken] = True
        used_slots = np.flatnonzero(used)
        sort = np.argsort(newest.position[used_slots])
        place = np.empty(order.count, dtype=np.int64)
        place[used_slots[sort]] = np.arange(len(used_slots))
        expired = np.zeros(order.rows, dtype=bool)
        expired[order.order[late]] = True
        return cls(
            rows=order.rows,
            slots=_scatter(order.rows, at, place[taken], -1),
            positions=newest.position[used_slots[sort]],
            event=_scatter(order.rows, at, newest.event[taken]),
            created=_scatter(order.rows, at, newest.created[taken]),
            expired=expired,
        )


def assemble(found: Matches, fetch: Fetch, plan: AsOfPlan, with_expired: bool) -> pa.Table:
    """One row per spine row: features, both times and, if asked, whether the ttl left it out."""
    missing = found.slots < 0
    columns: dict[str, pa.Array | pa.ChunkedArray] = _values(found, fetch, plan, missing)
    columns[EVENT_TIME] = _instants(found.event, missing, plan.unit)
    columns[CREATED_TIME] = _instants(found.created, missing, plan.unit)
    if with_expired:
        columns[EXPIRED] = bools(found.expired)
    return pa.table(columns)


def _values(
    found: Matches, fetch: Fetch, plan: AsOfPlan, missing: npt.NDArray[np.bool_]
) -> dict[str, pa.Array | pa.ChunkedArray]:
    if not len(found.positions):
        return {c.name: pa.nulls(found.rows, arrow_type(c.dtype)) for c in plan.features}
    taken = int64s(found.slots, missing)
    values: dict[str, pa.Array | pa.ChunkedArray] = {}
    for start in range(0, len(plan.features), COLUMNS_AT_ONCE):
        columns = plan.features[start : start + COLUMNS_AT_ONCE]
        fetched = fetch(columns)
        for column in reversed(columns):
            values[column.name] = fetched.pop().take(taken)
    return {column.name: values[column.name] for column in plan.features}


def _instants(ticks: Int64s, missing: npt.NDArray[np.bool_], unit: Unit) -> pa.Array:
    return instants_of(int64s(ticks, missing), unit)


def _scatter(rows: int, at: Int64s, values: Int64s, empty: int = 0) -> Int64s:
    scattered = np.full(rows, empty, dtype=np.int64)
    scattered[at] = values
    return scattered
