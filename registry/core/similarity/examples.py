"""Two sketches side by side as people read them: how much was compared, examples. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from registry.core.similarity.likeness import Example
from registry.core.similarity.relations import Floats, of_categories, of_numbers
from registry.core.similarity.values import ValueEvidence, ValueSketch

MOST = 4
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class _Beside:
    """Both as [anchors, keys] over what they have in common, each pair of anchors a shift apart.

    `left` is the feature that exists, `right` the one that is asked about.
    """

    left: ValueSketch
    right: ValueSketch
    keys: tuple[int, ...]
    rows: tuple[tuple[int, int], ...]
    x: Floats
    y: Floats

    @property
    def known(self) -> Flags:
        both: Flags = ~np.isnan(self.x) & ~np.isnan(self.y)
        return both


def stands_behind(left: ValueSketch, right: ValueSketch, found: ValueEvidence) -> str:
    """How much was compared, in sentences: pairs, keys, times, equality, variety, nulls."""
    beside = _beside(left, right, found.shift_seconds)
    known = beside.known
    times = sorted(right.anchors[row] for _, row in beside.rows)
    equal = np.sum(_close(beside.x[known], beside.y[known]))
    span = f"{times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}" if times else "no time"
    return (
        f"Compared: {found.pairs} (key, time) pairs, {_count(np.any(known, axis=0))} keys at "
        f"{_count(np.any(known, axis=1))} times, {span}. As they stand "
        f"{_share(float(equal), found.pairs)} are equal; {found.distinct} distinct values, the "
        f"commonest {_share(found.mode_share, 1)} of them; both null or neither for "
        f"{_share(found.null_agreement, 1)}."
    )


def examples_of(left: ValueSketch, right: ValueSketch, found: ValueEvidence) -> tuple[Example, ...]:
    """Up to `MOST` pairs, of different keys and values, one that does not fit first."""
    beside = _beside(left, right, found.shift_seconds)
    fits = _fits(beside, found)
    odd = list(_chosen(beside, beside.known & ~fits, False))[:1]
    return (*odd, *list(_chosen(beside, beside.known & fits, True))[: MOST - len(odd)])


def _beside(left: ValueSketch, right: ValueSketch, shift_seconds: float) -> _Beside:
    columns = {key: place for place, key in enumerate(left.keys)}
    keys = tuple(key for key in right.keys if key in columns)
    theirs = {anchor: place for place, anchor in enumerate(left.anchors)}
    before = timedelta(seconds=shift_seconds)
    rows = tuple(
        (theirs[anchor - before], place)
        for place, anchor in enumerate(right.anchors)
        if anchor - before in theirs
    )
    mine = {key: place for place, key in enumerate(right.keys)}
    x = left.values[np.ix_([r for r, _ in rows], [columns[k] for k in keys])]
    y = right.values[np.ix_([r for _, r in rows], [mine[k] for k in keys])]
    return _Beside(left, right, keys, rows, x, y)


def _fits(beside: _Beside, found: ValueEvidence) -> Flags:
    """Which pairs fit the relation, by the rule that found it; all the others do not."""
    known = beside.known
    x, y = beside.x[known], beside.y[known]
    categories = "category" in (beside.left.kind, beside.right.kind)
    relations = of_categories(x, y) if categories else of_numbers(x, y)
    fits = np.zeros(known.shape, dtype=np.bool_)
    fits[known] = next((r.fits for r in relations if r.name == found.relation), _close(x, y))
    return fits


def _close(x: Floats, y: Floats) -> Flags:
    return np.asarray(np.isclose(x, y, rtol=1e-9, atol=1e-9))


def _chosen(beside: _Beside, among: Flags, fitting: bool) -> Iterator[Example]:
    """One pair a key, the newest first, each with a value that was not shown yet."""
    shown: set[float] = set()
    for column in range(len(beside.keys)):
        for row in np.flatnonzero(among[:, column])[::-1]:
            value = float(beside.x[row, column])
            if value not in shown:
                shown.add(value)
                yield _example(beside, int(row), column, fitting)
                break


def _example(beside: _Beside, row: int, column: int, agrees: bool) -> Example:
    place = beside.right.keys.index(beside.keys[column])
    labels = beside.right.labels
    return Example(
        key=labels[place] if labels else f"#{beside.keys[column]:016x}"[:7],
        at=beside.right.anchors[beside.rows[row][1]],
        feature=_shown(beside.right, float(beside.y[row, column])),
        other=_shown(beside.left, float(beside.x[row, column])),
        agrees=agrees,
    )


def _shown(sketch: ValueSketch, value: float) -> str:
    if sketch.form == "time" and np.isfinite(value):
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    if sketch.kind == "number":
        return f"{value:.8g}"
    return dict(sketch.words).get(value, f"#{int(value):x}"[:7])


def _count(flags: Flags | np.bool_) -> int:
    return int(np.sum(flags))


def _share(part: float, whole: float) -> str:
    """A share that is 100 % only when it is whole."""
    share = part / whole if whole else 0.0
    return f"{share:.0%}" if share in (0.0, 1.0) else f"{min(max(share, 0.001), 0.999):.1%}"
