"""What a join found, by position, and the answer put together from it. Pure Arrow and numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from registry.kernel.types import arrow_type
from warehouse.asof import AsOfPlan
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED
from warehouse.instants import Unit, instants_of

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """For each of `rows` spine rows the slot of its source row, -1 for none.

    `positions[slot]` is where that source row lies. `event` and `created` are ticks per spine row,
    of meaning where `slots` is not -1. `expired` marks rows that only the ttl left out.
    """

    rows: int
    slots: Positions
    positions: Positions
    event: Positions
    created: Positions
    expired: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, found: pa.Table, rows: int) -> "Matches":
        """From columns spine_pos, history_pos, event, created (int64) and expired (bool)."""
        spine = found.column("spine_pos").to_numpy()
        late = found.column("expired").to_numpy().astype(bool)
        kept = ~late
        positions, inverse = np.unique(
            found.column("history_pos").to_numpy()[kept], return_inverse=True
        )
        expired = np.zeros(rows, dtype=bool)
        expired[spine[late]] = True
        return cls(
            rows=rows,
            slots=_scatter(rows, spine[kept], inverse, -1),
            positions=positions,
            event=_scatter(rows, spine[kept], found.column("event").to_numpy()[kept]),
            created=_scatter(rows, spine[kept], found.column("created").to_numpy()[kept]),
            expired=expired,
        )

    def wanted(self) -> pa.Table:
        """Columns pos and slot: each source row to fetch, once."""
        slots = np.arange(len(self.positions), dtype=np.int64)
        return pa.table({"pos": self.positions, "slot": slots})


def assemble(
    found: Matches, payload: pa.Table | None, plan: AsOfPlan, with_expired: bool
) -> pa.Table:
    """One row per spine row: features, both times and, if asked, whether the ttl left it out."""
    missing = found.slots < 0
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    if payload is not None:
        columns |= _values(found, payload, plan, missing)
    columns[EVENT_TIME] = _instants(found.event, missing, plan.unit)
    columns[CREATED_TIME] = _instants(found.created, missing, plan.unit)
    if with_expired:
        columns[EXPIRED] = pa.array(found.expired)
    return pa.table(columns)


def _values(
    found: Matches, payload: pa.Table, plan: AsOfPlan, missing: npt.NDArray[np.bool_]
) -> dict[str, pa.ChunkedArray]:
    places = np.empty(len(found.positions), dtype=np.int64)
    places[payload.column("slot").to_numpy()] = np.arange(payload.num_rows)
    if len(places):
        taken = pa.array(places[np.where(missing, 0, found.slots)], mask=missing)
    else:
        taken = pa.nulls(found.rows, pa.int64())
    return {
        column.name: payload.column(f"v{place}")
        .cast(arrow_type(column.dtype))
        .combine_chunks()
        .take(taken)
        for place, column in enumerate(plan.features)
    }


def _instants(ticks: Positions, missing: npt.NDArray[np.bool_], unit: Unit) -> pa.Array:
    return instants_of(pa.array(ticks, mask=missing), unit)


def _scatter(rows: int, at: Positions, values: Positions, empty: int = 0) -> Positions:
    scattered = np.full(rows, empty, dtype=np.int64)
    scattered[at] = values
    return scattered
