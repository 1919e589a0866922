"""How the values of two features go together: the relations that are looked for. Pure.

Each is given the pairs that both know, float64, and says which of them fit. Numbers may be
infinite; they are never NaN here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
RelationName = Literal["equal", "rounded", "affine", "monotone", "bijection", "shifted", "none"]

TOLERANCE = 1e-9
# What people round to, the coarsest first: decimals, their halves and quarters, clock minutes.
STEPS = tuple(
    sorted(
        {k * 10.0**-d for d in range(-3, 5) for k in (1, 2, 2.5, 5)} | {15.0, 30.0, 60.0},
        reverse=True,
    )
)
# Of values that only rise within a key, as counters do, order says nothing about likeness.
MAX_RISING_KEYS = 0.8
SAMPLE = 256
MIN_RANKS = 0.6


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """A relation and the pairs that fit it; of an affine one right = slope · left + intercept."""

    name: RelationName
    fits: Flags
    slope: float = 1.0
    intercept: float = 0.0


def of_numbers(x: Floats, y: Floats) -> Iterator[Relation]:
    """Relations of two numbers, the strictest first."""
    yield Relation("equal", close(x, y))
    for found in (rounded(x, y), affine(x, y)):
        if found is not None:
            yield found
    yield monotone(x, y)


def go_together(x: Floats, y: Floats) -> bool:
    """Whether two numbers may stand in any relation of `of_numbers`, by the ranks of some pairs:
    most candidates do not, and are not looked at more closely."""
    if len(x) < SAMPLE // 4:
        return True
    few = slice(None, None, max(1, len(x) // SAMPLE))
    left, right = _ranks(x[few]), _ranks(y[few])
    spread = float(left.std() * right.std())
    if spread == 0.0:
        return True
    return abs(float(np.mean((left - left.mean()) * (right - right.mean())))) > MIN_RANKS * spread


def _ranks(values: Floats) -> Floats:
    ordered = np.sort(values)
    low, high = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    ranks: Floats = (low + high) / 2.0
    return ranks


def of_categories(x: Floats, y: Floats) -> Iterator[Relation]:
    """Relations of two where one at least is a category."""
    yield Relation("equal", close(x, y))
    yield bijection(x, y)


def close(x: Floats, y: Floats) -> Flags:
    """Equal but for the last bits; an infinity equals itself alone."""
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.maximum(np.maximum(np.abs(x), np.abs(y)), 1.0)
        near = np.abs(x - y) <= TOLERANCE * scale
    return np.asarray((x == y) | (near & np.isfinite(scale)))


def rounded(x: Floats, y: Floats) -> Relation | None:
    """One is the other, rounded to some decimals or another step, cut down or up to it, or kept in
    single precision."""
    found: list[Relation] = []
    for coarse, fine in ((x, y), (y, x)):
        step = step_of(coarse)
        if step is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                half = np.abs(coarse - fine) <= 0.5 * step * (1 + TOLERANCE)
                down = close(coarse, np.floor(fine / step) * step)
                up = close(coarse, np.ceil(fine / step) * step)
                cut = close(coarse, np.trunc(fine / step) * step)
            ways = [np.asarray(way | close(coarse, fine)) for way in (half, down, up, cut)]
            found.append(Relation("rounded", max(ways, key=lambda way: int(way.sum()))))
        found.append(Relation("rounded", _single(coarse, fine)))
    return max(found, key=lambda relation: int(relation.fits.sum()), default=None)


def _single(coarse: Floats, fine: Floats) -> Flags:
    """Where the one is the other in single precision, as FLOAT columns hold it."""
    with np.errstate(over="ignore"):
        return np.asarray(coarse == fine.astype(np.float32))


def step_of(values: Floats) -> float | None:
    """The coarsest of `STEPS` that all values are multiples of, where there is one."""
    finite = values[np.isfinite(values)]
    few = finite[:: max(1, len(finite) // 16)]
    for step in STEPS:
        if len(few) and _multiples(few, step) and _multiples(finite, step):
            return step
    return None


def _multiples(values: Floats, step: float) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.all(close(values, np.round(values / step) * step)))


def affine(x: Floats, y: Floats) -> Relation | None:
    """right = slope · left + intercept: another unit, perhaps rounded after. The line goes through
    two points of the middle or the ends, whichever fits more; a few odd pairs do not bend it."""
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.sum() < 2:
        return None
    left, right = x[finite], y[finite]
    order = np.argsort(left, kind="stable")
    found: list[Relation] = []
    for low, high in ((0.0, 1.0), (0.1, 0.9), (0.25, 0.75)):
        one, other = (order[int(part * (len(order) - 1))] for part in (low, high))
        line = _through(left[[one, other]], right[[one, other]])
        if line is not None:
            found.append(_line(x, y, *line))
    if np.ptp(left) > 0 and np.ptp(right) > 0:
        found += [_fitted(x, y, left, right), _turned(_fitted(y, x, right, left))]
    return max(found, key=lambda relation: int(relation.fits.sum()), default=None)


def _through(x: Floats, y: Floats) -> tuple[float, float] | None:
    with np.errstate(all="ignore"):
        slope = float((y[1] - y[0]) / (x[1] - x[0]))
    if not np.isfinite(slope) or slope == 0.0:
        return None
    return slope, float(y[0] - slope * x[0])


def _line(
    x: Floats, y: Floats, slope: float, intercept: float, slack: Floats | float = 0.0
) -> Relation:
    with np.errstate(all="ignore"):
        wanted = slope * x + intercept
        size = np.maximum(np.maximum(np.abs(slope * x), abs(intercept)), np.abs(y))
        fits = np.isfinite(wanted) & (np.abs(wanted - y) <= 1e-9 * size + slack)
    return Relation("affine", np.asarray(fits), slope, intercept)


def _fitted(x: Floats, y: Floats, left: Floats, right: Floats) -> Relation:
    """By least squares, where the right side was rounded after, or cut towards zero: half a step is
    forgiven, of values that spread over many steps."""
    step = step_of(right)
    if step is None or np.ptp(right) < 16 * step:
        return Relation("affine", np.zeros(x.shape, dtype=np.bool_))
    middle = float(left.mean())
    found: list[Relation] = []
    for back in (0.0, 0.5 * step):
        aims = right + back * np.sign(right)  # the middle of what was cut to it
        slope = float(np.dot(left - middle, aims) / np.dot(left - middle, left - middle))
        slack = np.where(y == 0, 0.55 * step + back, 0.55 * step)
        intercept = float(aims.mean() - slope * middle)
        found.append(_line(x, y + back * np.sign(y), slope, intercept, slack))
    return max(found, key=lambda relation: int(relation.fits.sum()))


def _turned(found: Relation) -> Relation:
    """A line seen from its other side."""
    if found.slope == 0.0:
        return Relation("affine", np.zeros(found.fits.shape, dtype=np.bool_))
    return Relation("affine", found.fits, 1 / found.slope, -found.intercept / found.slope)


def monotone(x: Floats, y: Floats) -> Relation:
    """Strictly rising or falling together: a rank, a logarithm, a bucket's edge."""
    order = np.lexsort((y, x))
    with np.errstate(invalid="ignore"):
        dx, dy = np.diff(x[order]), np.diff(y[order])
    same = (dx == 0) & (dy == 0)
    rising, falling = same | (dx > 0) & (dy > 0), same | (dx > 0) & (dy < 0)
    better = rising if rising.sum() >= falling.sum() else falling
    fits = np.zeros(x.shape, dtype=np.bool_)
    fits[order] = np.concatenate([[True], better]) if len(x) else fits
    return Relation("monotone", fits)


def bijection(x: Floats, y: Floats) -> Relation:
    """Each category of one goes with one category of the other, and back."""
    if not len(x):
        return Relation("bijection", np.zeros(0, dtype=np.bool_))
    pairs, place = np.unique(np.stack([x, y]), axis=1, return_inverse=True)
    once = np.isin(pairs[0], _seen_once(pairs[0])) & np.isin(pairs[1], _seen_once(pairs[1]))
    return Relation("bijection", np.asarray(once[np.asarray(place).reshape(-1)]))


def _seen_once(values: Floats) -> Floats:
    distinct, counts = np.unique(values, return_counts=True)
    once: Floats = distinct[counts == 1]
    return once


def only_rises(values: Floats) -> bool:
    """Whether nearly every key's values, [anchors, keys] with NaN for null, never fall (or never
    rise) in time, and do change: a counter, an age, a cumulative sum."""
    with np.errstate(invalid="ignore"):
        steps = np.diff(values, axis=0)
        changing = np.any(steps != 0, axis=0) & np.any(np.isfinite(steps), axis=0)
        known = np.isfinite(steps)
        up = np.all((steps >= 0) | ~known, axis=0)
        down = np.all((steps <= 0) | ~known, axis=0)
    count = int(changing.sum())
    one_way = max(int((up & changing).sum()), int((down & changing).sum()))
    return values.shape[0] > 2 and count > 0 and one_way / count > MAX_RISING_KEYS


def independent(values: Floats) -> int:
    """How many values, [anchors, keys], say something new: one a key and each change after it; of
    what is the same for every key at a time (the calendar), one a time."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        changed = known[1:] & known[:-1] & ~close(values[1:], values[:-1])
    runs = int(known.any(axis=0).sum() + changed.sum())
    times = known.any(axis=1)
    first = values[np.arange(len(values)), known.argmax(axis=1)][:, None]
    with np.errstate(invalid="ignore"):
        alike = close(np.where(known, values, first), np.broadcast_to(first, values.shape))
    by_calendar = bool(np.any(known.sum(axis=1) > 1)) and bool(np.all(alike[times]))
    return min(runs, int(times.sum())) if by_calendar else runs
