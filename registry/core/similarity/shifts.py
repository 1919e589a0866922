"""By how much one feature may be another's values some time later: the spans worth a look. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from registry.core.similarity.relations import Floats, Places

MAX_SECONDS = 31 * 86400.0
KEYS, LOOKED_AT, MIN_SHARE = 16, 6, 0.3


@dataclass(frozen=True, eq=False, slots=True)
class Shift:
    """The right is what the left was `seconds` before: the left's `rows` go with `others`."""

    seconds: float
    rows: Places
    others: Places


def likely_shifts(a: Floats, b: Floats, seconds: Floats, least: int) -> Iterator[Shift]:
    """The spans at which most values are the same to the bit, likeliest first, then the shorter.

    `a` and `b` are [anchors, keys] with NaN for null, `seconds` the anchors' instants; spans with
    fewer than `least` pairs of values are left out. Looked for at `KEYS` keys.
    """
    few = slice(None, None, max(1, a.shape[1] // KEYS))
    left, right = a[:, None, few], b[None, :, few]
    same = (left == right).sum(axis=2)
    known = (~np.isnan(left) & ~np.isnan(right)).sum(axis=2)
    later = seconds[None, :] - seconds[:, None]
    rows, others = np.nonzero((later != 0) & (np.abs(later) <= MAX_SECONDS))
    spans, place = np.unique(later[rows, others], return_inverse=True)
    place = place.reshape(-1)
    share = np.bincount(place, same[rows, others]) / np.maximum(
        np.bincount(place, known[rows, others]), 1
    )
    share[np.bincount(place) * a.shape[1] < least] = 0.0
    for number in np.lexsort((np.abs(spans), -np.round(share, 1)))[:LOOKED_AT]:
        if share[number] >= MIN_SHARE:
            there = place == number
            yield Shift(float(spans[number]), rows[there], others[there])
