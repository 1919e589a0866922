"""Says whether a source still gives what was kept of it, and by how much it moved. Pure Arrow.

Sums of floating-point numbers differ in their last bits between parallel runs, and rows of a query
come in any order. Neither is a move: rows are put in order and numbers compared to nine digits.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Move:
    """How a source differs from what was kept. `changed` counts rows that differ, None where rows
    cannot be put side by side because their number is another."""

    rows: int
    rows_now: int
    changed: int | None

    @property
    def sentence(self) -> str:
        if self.changed is None:
            return f"{self.rows_now - self.rows:+,} rows"
        return f"{self.changed:,} of {self.rows:,} rows have other values"


def compare_rows(kept: pa.Table, now: pa.Table) -> Move | None:
    """How `now` differs from `kept`, columns being the same; None when it does not."""
    if kept.num_rows != now.num_rows:
        return Move(kept.num_rows, now.num_rows, None)
    left, right = _in_order(kept), _in_order(now)
    differs = np.zeros(kept.num_rows, dtype=bool)
    for name in kept.column_names:
        differs |= _differ(left.column(name), right.column(name))
    changed = int(differs.sum())
    return Move(kept.num_rows, now.num_rows, changed) if changed else None


def _in_order(table: pa.Table) -> pa.Table:
    """Rows sorted by their exact columns, then by the others roughly."""
    plain = [field for field in table.schema if not pa.types.is_nested(field.type)]
    exact = [field.name for field in plain if not pa.types.is_floating(field.type)]
    rough = [field.name for field in plain if pa.types.is_floating(field.type)]
    keys = {f"k{place}": table.column(name) for place, name in enumerate(exact)}
    keys |= {f"r{place}": _rough(table.column(name)) for place, name in enumerate(rough)}
    if not keys:
        return table
    return table.take(pc.sort_indices(pa.table(keys), [(name, "ascending") for name in keys]))


def _rough(column: pa.ChunkedArray) -> pa.Array:
    """Numbers to six digits, so that noise does not decide the order."""
    values = column.cast(pa.float64()).to_numpy()
    with np.errstate(all="ignore"):
        scale = 10.0 ** (5 - np.floor(np.log10(np.abs(values))))
        rounded = np.where(np.isfinite(scale), np.round(values * scale) / scale, values)
    return pa.array(rounded)


def _differ(left: pa.ChunkedArray, right: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    if left.type != right.type:
        return np.ones(len(left), dtype=bool)
    if pa.types.is_floating(left.type):
        ours, theirs = left.to_numpy(), right.to_numpy()
        return _inverse(np.isclose(ours, theirs, rtol=_SAME, atol=0.0, equal_nan=True))
    if pa.types.is_nested(left.type):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([ours != theirs for ours, theirs in pairs], dtype=bool)
    equal = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(left.is_null(), right.is_null())
    return _inverse(pc.or_(equal, both_null).to_numpy())


def _inverse(same: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    differs: npt.NDArray[np.bool_] = np.logical_not(same)
    return differs
