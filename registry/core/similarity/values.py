"""Whether two features have the same values, from small sketches of them. Pure.

A sketch holds a feature's values as of fixed anchor times for the entity keys of the smallest
hashes. Two sketches of one entity therefore hold the same keys, and can be compared without reading
the data again. Evidence is counted in (key, anchor) pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from registry.core.similarity.relations import (
    Flags,
    Floats,
    Relation,
    RelationName,
    close,
    go_together,
    independent,
    of_categories,
    of_numbers,
    only_rises,
)
from registry.kernel.canonical import digest_bytes

Kind = Literal["number", "category"]

# A pair of features is only judged on enough pairs that tell something.
MIN_PAIRS = 64
MIN_DISTINCT = 16
MAX_MODE_SHARE = 0.8
MIN_INDEPENDENT = 32
MIN_OVERLAP = 0.5
MAX_KEYS = 128
NEAR_TOTAL = 0.995
# Of pairs where not both are at their commonest value: zeros that agree prove little.
NEAR_TOTAL_TELLING = 0.98
# A copy that comes later is the same numbers, but for a few that were summed in another order.
MAX_NOISE = 0.5
MAX_SHIFT = timedelta(days=62)
SHIFTS_TRIED = 16
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
    share of the commonest say how much the pairs tell, and `independent` how many of them say
    something that their key's value before did not; `overlap` is the share of pairs that both know
    among those that one knows; `null_agreement` is over all pairs of common
    keys. `slope` and `intercept` are those of an affine relation, right = slope · left + intercept;
    of a shifted one the right is what the left was `shift_seconds` before.
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

    @property
    def share(self) -> float:
        return self.agreeing / self.pairs if self.pairs else 0.0

    @property
    def telling(self) -> bool:
        """Whether there is enough to judge by: pairs, distinct values, no one value that rules."""
        enough = self.pairs >= MIN_PAIRS and self.distinct >= MIN_DISTINCT
        enough = enough and self.independent >= MIN_INDEPENDENT and self.overlap >= MIN_OVERLAP
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
    except OverflowError:  # a whole number beyond all floats
        return float("inf") if value > 0 else float("-inf")
    except (TypeError, ValueError):
        return None


def _category(value: Any) -> float:
    if value is None:
        return float("nan")
    return float(int(digest_bytes(str(value).strip().encode())[7:20], 16))


def compare(left: ValueSketch, right: ValueSketch) -> ValueEvidence | None:
    """The strictest relation that holds for nearly all pairs; None when they cannot be compared
    (another entity, no common anchor, no common key)."""
    if left.entity != right.entity:
        return None
    aligned = _Aligned.of(left, right)
    if aligned is None:
        return None
    if "category" in (left.kind, right.kind):
        return aligned.strongest(of_categories(*aligned.both_known))
    x, y = aligned.both_known
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


def _at_mode(values: Floats) -> Flags:
    """Which values are the commonest one, where it is common; none where all are rare."""
    if not len(values):
        return np.zeros(0, dtype=np.bool_)
    distinct, counts = np.unique(values, return_counts=True)
    common = counts.max() > 0.2 * len(values)
    return np.asarray((values == distinct[counts.argmax()]) & common)


def _shifted(aligned: _Aligned) -> ValueEvidence | None:
    """One is the other some time later: for the spans that most anchors lie apart."""
    for span, before, after in _spans(aligned.anchors):
        for sign, first, second in ((1, before, after), (-1, after, before)):
            found = _later(aligned, first, second)
            if found is not None:
                return replace(found, shift_seconds=sign * span.total_seconds())
    return None


@lru_cache(maxsize=64)  # anchors are fixed points of the calendar: hundreds of pairs have the same
def _spans(anchors: tuple[datetime, ...]) -> list[tuple[timedelta, list[int], list[int]]]:
    """The spans that most pairs of anchors lie apart, and the places of both."""
    apart: dict[timedelta, list[tuple[int, int]]] = defaultdict(list)
    for one, early in enumerate(anchors):
        for other, late in enumerate(anchors[one + 1 :], one + 1):
            if late - early > MAX_SHIFT:
                break
            apart[late - early].append((one, other))
    likely = sorted(apart.items(), key=lambda item: (-len(item[1]), item[0]))[:SHIFTS_TRIED]
    return [(span, [a for a, _ in places], [b for _, b in places]) for span, places in likely]


def _later(aligned: _Aligned, rows: list[int], others: list[int]) -> ValueEvidence | None:
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
