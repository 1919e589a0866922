"""The reference profile: fixed quantile bins of each column at training time, for drift. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Counts of one column. Bin i holds edges[i-1] < value <= edges[i], open at both ends."""

    name: str
    rows: int
    missing: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def profile_columns(
    rows: NDArray[np.float64], names: Sequence[str], bins: int = BINS
) -> tuple[ColumnProfile, ...]:
    """Profile `rows` (float64 [n, k], NaN is missing), `names` [k]: equal-count bins per column."""
    return tuple(_profile(rows[:, i], name, bins) for i, name in enumerate(names))


def _profile(column: NDArray[np.float64], name: str, bins: int) -> ColumnProfile:
    present = column[np.isfinite(column)]
    levels = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(present, levels)) if len(present) else np.empty(0)
    return _counted(column, name, tuple(edges.tolist()))


def count_again(reference: ColumnProfile, column: NDArray[np.float64]) -> ColumnProfile:
    """Other values of the same column counted in the reference's bins, so that they add up."""
    return _counted(column, reference.name, reference.edges)


def _counted(column: NDArray[np.float64], name: str, edges: tuple[float, ...]) -> ColumnProfile:
    present = column[np.isfinite(column)]
    places = np.searchsorted(np.array(edges), present, side="left")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return ColumnProfile(
        name, len(column), len(column) - len(present), edges, tuple(counts.tolist())
    )


def encode_profile(columns: Sequence[ColumnProfile]) -> bytes:
    return msgspec.json.encode(list(columns))


def decode_profile(data: bytes) -> tuple[ColumnProfile, ...]:
    return tuple(msgspec.json.decode(data, type=list[ColumnProfile]))
