"""What a join found, by position, and the answer put together from it. Pure Arrow and numpy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from registry.kernel.types import arrow_type
from warehouse.asof import AsOfPlan
from warehouse.engines.arrays import bools, int64s
from warehouse.engines.parts import Bools, Found, Int64s
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED
from warehouse.history import HistoryColumn
from warehouse.instants import Unit, instants_of

Fetch = Callable[[Sequence[HistoryColumn]], list[pa.Array | pa.ChunkedArray]]
COLUMNS_AT_ONCE = 16
"""So many columns are fetched before the next: wide views cost no more memory than their answer."""


@dataclass(frozen=True, slots=True)
class Matches:
    """For each spine row the position of its source row, -1 for none.

    `event` and `created` are ticks, of meaning where there is a source row. `expired` marks rows
    that only the ttl left out.
    """

    source: Int64s
    event: Int64s
    created: Int64s
    expired: Bools

    @classmethod
    def nothing(cls, rows: int) -> "Matches":
        """No row found anything."""
        zeros = np.zeros(rows, dtype=np.int64)
        return cls(zeros - 1, zeros, zeros, np.zeros(rows, dtype=bool))

    @classmethod
    def of(cls, found: Found, ttl: int | None) -> "Matches":
        """What was found, in the spine's order and as far as the ttl allows."""
        rows, at = found.asked.rows, found.asked.at
        expired = np.zeros(rows, dtype=bool)
        position = found.position
        if ttl is not None:
            late = (position >= 0) & (found.event < found.asked.times - ttl)
            position = np.where(late, -1, position)
            expired[at] = late
        event = _scatter(rows, at, found.event)
        created = event
        if found.created is not found.event:
            created = _scatter(rows, at, found.created)
        return cls(_scatter(rows, at, position, -1), event, created, expired)


def assemble(found: Matches, fetch: Fetch, plan: AsOfPlan, with_expired: bool) -> pa.Table:
    """One row per spine row: features, both times and, if asked, whether the ttl left it out."""
    missing = found.source < 0
    columns: dict[str, pa.Array | pa.ChunkedArray] = _values(fetch, plan, missing)
    columns[EVENT_TIME] = _instants(found.event, missing, plan.unit)
    columns[CREATED_TIME] = _instants(found.created, missing, plan.unit)
    if with_expired:
        columns[EXPIRED] = bools(found.expired)
    return pa.table(columns)


def _values(fetch: Fetch, plan: AsOfPlan, missing: Bools) -> dict[str, pa.Array | pa.ChunkedArray]:
    if missing.all():
        return {c.name: pa.nulls(len(missing), arrow_type(c.dtype)) for c in plan.features}
    values: dict[str, pa.Array | pa.ChunkedArray] = {}
    for start in range(0, len(plan.features), COLUMNS_AT_ONCE):
        columns = plan.features[start : start + COLUMNS_AT_ONCE]
        values |= zip((column.name for column in columns), fetch(columns), strict=True)
    return values


def _instants(ticks: Int64s, missing: Bools, unit: Unit) -> pa.Array:
    return instants_of(int64s(ticks, missing), unit)


def _scatter(rows: int, at: Int64s, values: Int64s, empty: int = 0) -> Int64s:
    scattered = np.full(rows, empty, dtype=np.int64)
    scattered[at] = values
    return scattered
