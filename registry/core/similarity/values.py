"""Whether two features have the same values, from small sketches of them. Pure.

A sketch holds a feature's values as of fixed anchor times for the entity keys of the smallest
hashes. Two sketches of one entity therefore hold the same keys, and can be compared without reading
the data again. Evidence is counted in (key, anchor) pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from registry.kernel.canonical import digest_bytes

Floats = NDArray[np.float64]
Kind = Literal["number", "category"]
Relation = Literal["equal", "rounded", "affine", "monotone", "bijection", "shifted", "none"]

# A pair of features is only judged on enough pairs that tell something.
MIN_PAIRS = 64
MIN_DISTINCT = 16
MAX_MODE_SHARE = 0.8
NEAR_TOTAL = 0.995
TOLERANCE = 1e-9
MAX_WORDS, MAX_WORD = 32, 60


@dataclass(frozen=True, eq=False)
class ValueSketch:
    """`values` float64 [anchors, keys], NaN for null. `keys` are hashes, ascending, the smallest of
    the entity's. Numbers, booleans and texts of digits are numbers; other texts are categories, by
    a hash that float64 holds exactly; `words` are the texts of some of them. `labels` are the keys
    as people know them, of a sketch that was made just now: they are not kept."""

    ref: str
    entity: str
    keys: tuple[int, ...]
    anchors: tuple[datetime, ...]
    kind: Kind
    values: Floats
    words: tuple[tuple[float, str], ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueEvidence:
    """What a comparison found. `agreeing` of `pairs` fit the relation; `distinct` values and the
    share of the commonest say how much the pairs tell; `null_agreement` is over all pairs of common
    keys. `slope` and `intercept` are those of an affine relation, right = slope · left + intercept.
    """

    relation: Relation
    pairs: int
    agreeing: int
    distinct: int
    mode_share: float
    null_agreement: float
    slope: float = 1.0
    intercept: float = 0.0
    shift: int = 0

    @property
    def share(self) -> float:
        return self.agreeing / self.pairs if self.pairs else 0.0

    @property
    def telling(self) -> bool:
        """Whether there is enough to judge by: pairs, distinct values, no one value that rules."""
        enough = self.pairs >= MIN_PAIRS and self.distinct >= MIN_DISTINCT
        return enough and self.mode_share <= MAX_MODE_SHARE


def encode(values: Sequence[Any]) -> tuple[Kind, Floats]:
    """A column's values as a sketch keeps them, whatever type they came in."""
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return "number", np.asarray(numbers, dtype=np.float64)
    return "category", np.asarray([_category(value) for value in values], dtype=np.float64)


def words_in(kind: Kind, values: Sequence[Any], encoded: Floats) -> tuple[tuple[float, str], ...]:
    """(hash, text) of the first categories of a column, cut short: for people to read."""
    if kind == "number":
        return ()
    found: dict[float, str] = {}
    for value, code in zip(values, encoded.tolist(), strict=True):
        if value is not None and len(found) < MAX_WORDS:
            found.setdefault(code, str(value)[:MAX_WORD])
    return tuple(found.items())


def _number(value: Any) -> float | None:
    """The value as a number, NaN for null; None when it is a text that is no number."""
    if value is None:
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _category(value: Any) -> float:
    if value is None:
        return float("nan")
    return float(int(digest_bytes(str(value).strip().encode())[7:20], 16))


def compare(left: ValueSketch, right: ValueSketch) -> ValueEvidence | None:
    """The strongest relation that holds for nearly all pairs; None when they cannot be compared
    (another entity, no common anchor, no common key)."""
    if left.entity != right.entity:
        return None
    aligned = _aligned(left, right)
    if aligned is None:
        return None
    a, b = aligned
    known = ~np.isnan(a) & ~np.isnan(b)
    nulls = float(np.mean(np.isnan(a) == np.isnan(b))) if a.size else 0.0
    x, y = a[known], b[known]
    facts = _Facts(len(x), *_variety(x, y), nulls)
    if left.kind != right.kind or "category" in (left.kind, right.kind):
        return _first(facts, x, y, (_equal, _bijection))
    found = _first(facts, x, y, (_equal, _rounded, _affine, _monotone))
    return found if found.relation != "none" else _shifted(facts, a, b) or found


@dataclass(frozen=True, slots=True)
class _Facts:
    pairs: int
    distinct: int
    mode_share: float
    null_agreement: float

    def evidence(self, relation: Relation, agreeing: int, **more: Any) -> ValueEvidence:
        return ValueEvidence(
            relation,
            self.pairs,
            agreeing,
            self.distinct,
            self.mode_share,
            self.null_agreement,
            **more,
        )


Test = Callable[[_Facts, Floats, Floats], ValueEvidence | None]


def _first(facts: _Facts, x: Floats, y: Floats, tests: Sequence[Test]) -> ValueEvidence:
    for test in tests:
        found = test(facts, x, y) if len(x) else None
        if found is not None and found.share >= NEAR_TOTAL:
            return found
    return facts.evidence("none", int(np.sum(_close(x, y))))


def _aligned(left: ValueSketch, right: ValueSketch) -> tuple[Floats, Floats] | None:
    """Both as [common anchors, common keys]. A key beyond the other's largest hash is not missing
    there, it was never looked at: only the part that both cover counts."""
    limit = min(left.keys[-1], right.keys[-1]) if left.keys and right.keys else -1
    keys = sorted({k for k in left.keys if k <= limit} & set(right.keys))
    anchors = sorted(set(left.anchors) & set(right.anchors))
    if not keys or not anchors:
        return None
    return _part(left, anchors, keys), _part(right, anchors, keys)


def _part(sketch: ValueSketch, anchors: list[datetime], keys: list[int]) -> Floats:
    columns = {key: place for place, key in enumerate(sketch.keys)}
    rows = {anchor: place for place, anchor in enumerate(sketch.anchors)}
    chosen = np.ix_([rows[a] for a in anchors], [columns[k] for k in keys])
    part: Floats = sketch.values[chosen]
    return part


def _variety(x: Floats, y: Floats) -> tuple[int, float]:
    """Distinct values and the share of the commonest, of the poorer of the two."""
    if not len(x):
        return 0, 1.0
    counts = [np.unique(side, return_counts=True)[1] for side in (x, y)]
    return min(len(c) for c in counts), max(float(c.max() / len(x)) for c in counts)


def _close(x: Floats, y: Floats) -> NDArray[np.bool_]:
    scale = np.maximum(np.abs(x), np.abs(y))
    return np.asarray(np.abs(x - y) <= TOLERANCE * np.maximum(scale, 1.0))


def _equal(facts: _Facts, x: Floats, y: Floats) -> ValueEvidence:
    return facts.evidence("equal", int(np.sum(_close(x, y))))


def _rounded(facts: _Facts, x: Floats, y: Floats) -> ValueEvidence | None:
    """One is the other, rounded to some decimals or cut to whole numbers."""
    for coarse, fine in ((x, y), (y, x)):
        for decimals in range(4):
            if np.all(_close(coarse, np.round(coarse, decimals))):
                half = 0.5 * 10.0**-decimals + TOLERANCE
                near = np.abs(coarse - fine) <= half
                cut = _close(coarse, np.trunc(fine)) if decimals == 0 else near
                return facts.evidence("rounded", int(np.sum(near | cut)))
    return None


def _affine(facts: _Facts, x: Floats, y: Floats) -> ValueEvidence | None:
    """right = slope · left + intercept: another unit. Fitted through the two extremes."""
    low, high = int(np.argmin(x)), int(np.argmax(x))
    if x[high] == x[low]:
        return None
    slope = float((y[high] - y[low]) / (x[high] - x[low]))
    if slope == 0.0:
        return None
    intercept = float(y[low] - slope * x[low])
    size = max(float(np.max(np.abs(y))), 1.0)
    agreeing = int(np.sum(np.abs(slope * x + intercept - y) <= 1e-6 * size))
    return facts.evidence("affine", agreeing, slope=slope, intercept=intercept)


def _monotone(facts: _Facts, x: Floats, y: Floats) -> ValueEvidence:
    """Strictly rising or falling together: a rank, a logarithm, a bucket's edge."""
    order = np.lexsort((y, x))
    dx, dy = np.diff(x[order]), np.diff(y[order])
    rising = int(np.sum((dx > 0) & (dy > 0) | (dx == 0) & (dy == 0)))
    falling = int(np.sum((dx > 0) & (dy < 0) | (dx == 0) & (dy == 0)))
    return facts.evidence("monotone", max(rising, falling) + 1)


def _bijection(facts: _Facts, x: Floats, y: Floats) -> ValueEvidence:
    """Each category of one goes with one category of the other, and back."""
    pairs, counts = np.unique(np.stack([x, y]), axis=1, return_counts=True)
    once_left = np.isin(pairs[0], _seen_once(pairs[0]))
    once_right = np.isin(pairs[1], _seen_once(pairs[1]))
    return facts.evidence("bijection", int(counts[once_left & once_right].sum()))


def _seen_once(values: Floats) -> Floats:
    distinct, counts = np.unique(values, return_counts=True)
    once: Floats = distinct[counts == 1]
    return once


def _shifted(facts: _Facts, a: Floats, b: Floats) -> ValueEvidence | None:
    """The same series an anchor or two later."""
    for shift in (1, -1, 2, -2):
        x, y = (a[:-shift], b[shift:]) if shift > 0 else (a[-shift:], b[:shift])
        known = ~np.isnan(x) & ~np.isnan(y)
        pairs = int(np.sum(known))
        agreeing = int(np.sum(_close(x[known], y[known])))
        if pairs >= MIN_PAIRS and agreeing / pairs >= NEAR_TOTAL:
            moved = _Facts(pairs, *_variety(x[known], y[known]), facts.null_agreement)
            return moved.evidence("shifted", agreeing, shift=shift)
    return None
