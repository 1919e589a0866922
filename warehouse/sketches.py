"""A mergeable sketch of a numeric distribution, after DDSketch. Pure numbers.

Values fall into buckets whose bounds grow by a constant factor, so a quantile is right to within
`ACCURACY` of its value (Masson, Rim, Lee: DDSketch, VLDB 2019). Buckets are counts, so merging is
adding: the sketch of a whole is the same however the parts were cut.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = float(np.log(_GAMMA))
_SMALLEST = 1e-300

Buckets = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts by bucket for values above and below zero, and the count of zeros."""

    positive: Buckets = ()
    negative: Buckets = ()
    zeros: int = 0

    @property
    def count(self) -> int:
        return self.zeros + sum(n for _, n in (*self.positive, *self.negative))

    def merge(self, other: "Sketch") -> "Sketch":
        return Sketch(
            _add(self.positive, other.positive),
            _add(self.negative, other.negative),
            self.zeros + other.zeros,
        )

    def steps(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Each bucket's value, rising, and its count."""
        below = [(-_value(key), n) for key, n in reversed(self.negative)]
        zero = [(0.0, self.zeros)] if self.zeros else []
        steps = [*below, *zero, *((_value(key), n) for key, n in self.positive)]
        values = np.array([value for value, _ in steps], dtype=np.float64)
        return values, np.array([n for _, n in steps], dtype=np.int64)

    def quantile(self, share: float) -> float | None:
        """The value that `share` (0 to 1) of the values do not exceed; None when empty."""
        values, counts = self.steps()
        if not len(values):
            return None
        rank = share * (self.count - 1)
        return float(values[np.searchsorted(np.cumsum(counts), rank, side="right")])


def sketch_values(values: npt.NDArray[np.float64]) -> Sketch:
    """The sketch of finite values."""
    tiny = np.abs(values) < _SMALLEST
    return Sketch(
        _buckets(values[(values > 0) & ~tiny]),
        _buckets(-values[(values < 0) & ~tiny]),
        int(tiny.sum()),
    )


def distance(left: Sketch, right: Sketch) -> float:
    """The Kolmogorov-Smirnov distance: the most that two cumulative shares differ by, 0 to 1."""
    if not left.count or not right.count:
        return 0.0 if left.count == right.count else 1.0
    (a, a_counts), (b, b_counts) = left.steps(), right.steps()
    points = np.union1d(a, b)
    return float(np.max(np.abs(_shares(a, a_counts, points) - _shares(b, b_counts, points))))


def _shares(
    values: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    points: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    below = np.concatenate([[0], np.cumsum(counts)])
    shares: npt.NDArray[np.float64] = below[np.searchsorted(values, points, "right")] / below[-1]
    return shares


def _buckets(values: npt.NDArray[np.float64]) -> Buckets:
    keys = np.ceil(np.log(values) / _LOG_GAMMA).astype(np.int64)
    found, counts = np.unique(keys, return_counts=True)
    return tuple(zip(found.tolist(), counts.tolist(), strict=True))


def _add(left: Buckets, right: Iterable[tuple[int, int]]) -> Buckets:
    total = dict(left)
    for key, count in right:
        total[key] = total.get(key, 0) + count
    return tuple(sorted(total.items()))


def _value(key: int) -> float:
    return float(2 * _GAMMA**key / (_GAMMA + 1))
