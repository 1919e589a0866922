"""Whether two features have the same values, from small sketches of them. Pure.

A sketch holds a feature's values as of fixed anchor times for the entity keys of the smallest
hashes. Two sketches of one entity therefore hold the same keys, and can be compared without reading
the data again. Evidence is counted in (key, anchor) pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from registry.core.similarity.encoding import Form, Kind
from registry.core.similarity.relations import (
    Flags,
    Floats,
    Places,
    Relation,
    RelationName,
    close,
    go_together,
    independent,
    of_categories,
    of_numbers,
    only_rises,
)
from registry.core.similarity.shifts import likely_shifts

# A pair of features is only judged on enough pairs that tell something.
MIN_PAIRS = 64
MIN_DISTINCT = 16
MAX_MODE_SHARE = 0.8
MIN_INDEPENDENT = 32
MIN_OVERLAP = 0.5
# What one side has where the other has nothing, if it is one value: the nulls were filled.
MIN_FILLED, MIN_KNOWN = 0.995, 0.1
MAX_KEYS = 128
NEAR_TOTAL = 0.995
# Of pairs where not both are at their commonest value: zeros that agree prove little.
NEAR_TOTAL_TELLING = 0.98
# A copy that comes later is the same numbers, but for a few that were summed in another order.
MAX_NOISE = 0.5


@dataclass(frozen=True, eq=False)
class ValueSketch:
    """`values` float64 [anchors, keys], NaN for null. `keys` are hashes, ascending, the smallest of
    the entity's. Numbers, booleans and texts of digits are numbers, and so are times, in seconds
    since 1970; other texts are categories, by a hash that float64 holds exactly; `words` are the
    texts of some of them. `form` says what they were. `labels` are the keys as people know them, of
    a sketch that was made just now: they are not kept."""

    ref: str
    entity: str
    keys: tuple[int, ...]
    anchors: tuple[datetime, ...]
    kind: Kind
    values: Floats
    words: tuple[tuple[float, str], ...] = ()
    labels: tuple[str, ...] = ()
    form: Form = "number"


@dataclass(frozen=True, slots=True)
class ValueEvidence:
    """What a comparison found. `agreeing` of `pairs` fit the relation; `distinct` values and the
    share of the commonest say how much the pairs tell, and `independent` how many of them say
    something that their key's value before did not; `overlap` is the share of pairs that both know
    among those that one knows; `null_agreement` is over all pairs of common keys. `filled` is
    (side, value) where one side, "left" or "right", has that one value wherever the other has
    nothing, `retyped` whether texts, numbers and times face one another. `slope` and `intercept`
    are those of an affine relation, right = slope · left + intercept; of a shifted one the right is
    what the left was `shift_seconds` before.
    """

    relation: RelationName
    pairs: int
    agreeing: int
    distinct: int
    mode_share: float
    null_agreement: float
    slope: float = 1.0
    intercept: float = 0.0
    shift_seconds: float = 0.0
    independent: int = MIN_INDEPENDENT
    overlap: float = 1.0
    filled: tuple[str, float] | None = None
    retyped: bool = False

    @property
    def share(self) -> float:
        return self.agreeing / self.pairs if self.pairs else 0.0

    @property
    def telling(self) -> bool:
        """Whether there is enough to judge by: pairs, distinct values, no one value that rules."""
        enough = self.pairs >= MIN_PAIRS and self.distinct >= MIN_DISTINCT
        least = MIN_OVERLAP if self.filled is None else MIN_KNOWN
        enough = enough and self.independent >= MIN_INDEPENDENT and self.overlap >= least
        return enough and self.mode_share <= MAX_MODE_SHARE


def compare(left: ValueSketch, right: ValueSketch) -> ValueEvidence | None:
    """The strictest relation that holds for nearly all pairs; None when they cannot be compared
    (another entity, no common anchor, no common key)."""
    if left.entity != right.entity:
        return None
    aligned = _Aligned.of(left, right)
    if aligned is None:
        return None
    found = _related(aligned, "category" in (left.kind, right.kind))
    return replace(found, retyped=left.form != right.form)


def _related(aligned: "_Aligned", categories: bool) -> ValueEvidence:
    x, y = aligned.both_known
    if categories:
        found = aligned.strongest(of_categories(x, y))
    else:
        found = aligned.strongest(of_numbers(x, y) if go_together(x, y) else iter(()))
    if found.relation == "monotone" and (only_rises(aligned.a) or only_rises(aligned.b)):
        found = replace(found, relation="none")
    return found if found.relation != "none" else _shifted(aligned) or found


@dataclass(frozen=True, eq=False, slots=True)
class _Aligned:
    """Both as [common anchors, common keys], NaN for null."""

    a: Floats
    b: Floats
    anchors: tuple[datetime, ...]

    @classmethod
    def of(cls, left: ValueSketch, right: ValueSketch) -> "_Aligned | None":
        """A key beyond the other's largest hash is not missing there, it was never looked at: only
        the part that both cover counts. Within it a key that one lacks is null there."""
        limit = min(_covered(left), _covered(right))
        keys = sorted(k for k in {*left.keys, *right.keys} if k <= limit)
        if not set(left.keys) & set(right.keys):
            return None
        anchors = sorted(set(left.anchors) & set(right.anchors))
        if not keys or not anchors:
            return None
        return cls(_part(left, anchors, keys), _part(right, anchors, keys), tuple(anchors))

    @property
    def known(self) -> Flags:
        return np.asarray(~np.isnan(self.a) & ~np.isnan(self.b))

    @property
    def both_known(self) -> tuple[Floats, Floats]:
        known = self.known
        return self.a[known], self.b[known]

    def evidence(self, relation: Relation | None) -> ValueEvidence:
        """How much stands behind a relation; None: behind none, and equal pairs are counted."""
        x, y = self.both_known
        distinct, mode_share = _variety(x, y)
        nulls = float(np.mean(np.isnan(self.a) == np.isnan(self.b))) if self.a.size else 0.0
        return ValueEvidence(
            relation=relation.name if relation is not None else "none",
            pairs=len(x),
            agreeing=int(np.sum(relation.fits if relation is not None else close(x, y))),
            distinct=distinct,
            mode_share=mode_share,
            null_agreement=nulls,
            slope=relation.slope if relation is not None else 1.0,
            intercept=relation.intercept if relation is not None else 0.0,
            independent=min(independent(self.a), independent(self.b)),
            overlap=len(x) / max(1, int(np.sum(~np.isnan(self.a) | ~np.isnan(self.b)))),
            filled=_filled(self.a, self.b),
        )

    def strongest(self, relations: Iterator[Relation]) -> ValueEvidence:
        """The first that holds, of all pairs and of those that are not at their commonest value."""
        x, y = self.both_known
        telling = ~(_at_mode(x) & _at_mode(y))
        for relation in relations if len(x) else ():
            fits = relation.fits
            if fits.mean() < NEAR_TOTAL or not telling.any():
                continue
            if fits[telling].mean() >= NEAR_TOTAL_TELLING:
                return self.evidence(relation)
        return self.evidence(None)


def _covered(sketch: ValueSketch) -> int:
    """The largest hash up to which every key was looked at: all, where there were few."""
    return sketch.keys[-1] if len(sketch.keys) >= MAX_KEYS else 2**64


def _part(sketch: ValueSketch, anchors: list[datetime], keys: list[int]) -> Floats:
    columns = {key: place for place, key in enumerate(sketch.keys)}
    rows = {anchor: place for place, anchor in enumerate(sketch.anchors)}
    part: Floats = np.full((len(anchors), len(keys)), np.nan)
    held = [place for place, key in enumerate(keys) if key in columns]
    chosen = np.ix_([rows[a] for a in anchors], [columns[keys[place]] for place in held])
    part[:, held] = sketch.values[chosen]
    return part


def _variety(x: Floats, y: Floats) -> tuple[int, float]:
    """Distinct values and the share of the commonest, of the poorer of the two."""
    if not len(x):
        return 0, 1.0
    counts = [np.unique(side, return_counts=True)[1] for side in (x, y)]
    return min(len(c) for c in counts), max(float(c.max() / len(x)) for c in counts)


def _filled(a: Floats, b: Floats) -> tuple[str, float] | None:
    """The side that has one value wherever the other has nothing, and that value."""
    alone = {"left": a[np.isnan(b) & ~np.isnan(a)], "right": b[np.isnan(a) & ~np.isnan(b)]}
    side = max(alone, key=lambda name: len(alone[name]))
    values, count = alone[side], sum(map(len, alone.values()))
    if not count or len(values) < MIN_FILLED * count:
        return None
    distinct, counts = np.unique(values, return_counts=True)
    most = int(counts.argmax())
    return (side, float(distinct[most])) if counts[most] >= MIN_FILLED * count else None


def _at_mode(values: Floats) -> Flags:
    """Which values are the commonest one, where it is common; none where all are rare."""
    if not len(values):
        return np.zeros(0, dtype=np.bool_)
    distinct, counts = np.unique(values, return_counts=True)
    common = counts.max() > 0.2 * len(values)
    return np.asarray((values == distinct[counts.argmax()]) & common)


def _shifted(aligned: _Aligned) -> ValueEvidence | None:
    """One is the other some time later, by a span that anchors lie apart."""
    seconds = np.array([anchor.timestamp() for anchor in aligned.anchors])
    for shift in likely_shifts(aligned.a, aligned.b, seconds, MIN_PAIRS):
        found = _later(aligned, shift.rows, shift.others)
        if found is not None:
            return replace(found, shift_seconds=shift.seconds)
    return None


def _later(aligned: _Aligned, rows: Places, others: Places) -> ValueEvidence | None:
    early, late = aligned.a[rows], aligned.b[others]
    if np.count_nonzero(early == late) < MIN_PAIRS * MAX_NOISE:
        return None
    times = tuple(aligned.anchors[row] for row in rows)
    moved = _Aligned(early, late, times)
    x, y = moved.both_known
    if len(x) < MIN_PAIRS:
        return None
    fits = close(x, y)
    if fits.mean() < NEAR_TOTAL:  # as nearly always: the evidence is not worth counting
        return None
    found = moved.strongest(iter([Relation("shifted", fits)]))
    return found if found.relation != "none" else None
