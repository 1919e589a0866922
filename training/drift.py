"""Drift from one part of a set to another: the population stability index of each column. Pure.

Values are counted in the tenths of the first part (texts and bools by value), nulls in a bin of
their own. The index is the sum of (q - p) * ln(q / p) over bins. By custom, below 0.1 is little and
from 0.25 on much.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from registry.core.findings import Finding
from warehouse.profiles import ColumnProfile
from warehouse.sketches import Sketch

MUCH = 0.25
_FEWEST_ROWS = 50
_BINS = 10

Counts = npt.NDArray[np.float64]


def check_drift(
    first: Mapping[str, ColumnProfile], last: Mapping[str, ColumnProfile], parts: tuple[str, str]
) -> Iterator[Finding]:
    """Columns that are distributed unlike in the first and the last part."""
    for name, profile in first.items():
        index = stability_index(profile, last[name])
        if index is None or index < MUCH:
            continue
        yield Finding(
            "drift",
            "training",
            "notice",
            f"{name} differs between {parts[0]!r} and {parts[1]!r}"
            f" (population stability index {index:.2f}; {MUCH} is much)",
            name,
            hint="the test part may say little of the train part; look at what changed over time",
        )


def stability_index(first: ColumnProfile, last: ColumnProfile) -> float | None:
    """The index between two parts of a column; None where it cannot be taken: fewer than 50 rows,
    or neither numbers nor few different texts."""
    if min(first.rows, last.rows) < _FEWEST_ROWS:
        return None
    if first.values is not None and last.values is not None:
        p, q = _by_value(dict(first.values), dict(last.values))
    elif first.sketch is not None and last.sketch is not None:
        p, q = _by_tenth(first.sketch, last.sketch)
    else:
        return None
    return _index(np.append(p, first.nulls), np.append(q, last.nulls))


def _by_value(first: Mapping[str, int], last: Mapping[str, int]) -> tuple[Counts, Counts]:
    values = sorted({*first, *last})
    p, q = ([side.get(value, 0) for value in values] for side in (first, last))
    return np.array(p, dtype=np.float64), np.array(q, dtype=np.float64)


def _by_tenth(first: Sketch, last: Sketch) -> tuple[Counts, Counts]:
    """Counts between the bounds that cut the first part into tenths."""
    shares = np.arange(1, _BINS) / _BINS
    bounds = np.unique([q for q in map(first.quantile, shares) if q is not None])
    return _between(first, bounds), _between(last, bounds)


def _between(sketch: Sketch, bounds: npt.NDArray[np.float64]) -> Counts:
    values, counts = sketch.steps()
    bins = np.searchsorted(bounds, values, side="left")
    return np.bincount(bins, weights=counts, minlength=len(bounds) + 1).astype(np.float64)


def _index(p: Counts, q: Counts) -> float:
    """Bins that one part has none of count as half a row of it, lest the index be infinite."""
    used = (p > 0) | (q > 0)
    p, q = np.maximum(p[used], 0.5), np.maximum(q[used], 0.5)
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
