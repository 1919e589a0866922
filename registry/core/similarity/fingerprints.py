"""A few numbers that two sketches share when their values may be alike: to find candidates. Pure.

Five kinds, all of one entity. *Cells*: the smallest hashes of (key, value), whenever it was, over
values that are not common; equal features share them, be they null elsewhere, later, or over other
keys. Of features with few values, several of one key in a month. *Ranks*: the quarters that blocks
of cells fall into, and where they are null; the same for any unit, rounding or rising function.
*Patterns*: which cells of a block are equal to which; the same under any renaming of categories.
*Ratios*: how three cells lie to one another; the same for any unit, whatever fills the nulls.
*Courses*: all values of two keys, kept apart from the others; some are the same in a copy that
comes later, by however much.
A sketch that tells too little to be judged has none.
"""

import math
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from registry.core.similarity.relations import Floats
from registry.core.similarity.values import (
    MAX_MODE_SHARE,
    MIN_DISTINCT,
    MIN_PAIRS,
    ValueSketch,
)

CELLS = 24
BLOCKS = 12
BLOCK_KEYS = 8
BLOCK_CELLS = 16
MONTH_KEYS, MONTH_CELLS = 32, 4
RATIOS = 12
COURSES, MIN_COURSE = 2, 6
MAX_SHARE = 0.1
_NULL = 7
Numbers = NDArray[np.uint64]
Block = tuple[str, list[int], list[int]]


def stored_fingerprints(sketch: ValueSketch) -> tuple[int, ...]:
    """The numbers, below 2⁶³, by which a sketch is found."""
    return tuple(sorted(set(_fingerprints(sketch, mirrored=False))))


def asked_fingerprints(sketch: ValueSketch) -> tuple[int, ...]:
    """The numbers by which those that may be like it are found: falling where it rises, too."""
    return tuple(sorted(set(_fingerprints(sketch, mirrored=True))))


def _fingerprints(sketch: ValueSketch, mirrored: bool) -> Iterator[int]:
    known = sketch.values[~np.isnan(sketch.values)]
    distinct, counts = np.unique(known, return_counts=True)
    too_few = len(known) < MIN_PAIRS or len(distinct) < MIN_DISTINCT
    if too_few or counts.max() > MAX_MODE_SHARE * len(known):
        return
    few = 4 * len(distinct) <= len(known)
    yield from _months_of_keys(sketch) if few else _cells(sketch, distinct, counts)
    blocks = list(_blocks(sketch))
    if sketch.kind == "number":
        quarters = _quarters(sketch.values, np.sort(known))
        yield from _of_blocks(sketch, "ranks", blocks, quarters)
        if not few:
            yield from _ratios(sketch)
        if mirrored:
            turned = np.where(quarters == _NULL, _NULL, 3 - quarters)
            yield from _of_blocks(sketch, "ranks", blocks, turned)
    if sketch.kind == "category" or few:
        yield from _patterns(sketch, blocks)


def _cells(sketch: ValueSketch, distinct: Floats, counts: NDArray[np.int64]) -> Iterator[int]:
    limit = max(MAX_SHARE * counts.sum(), float(np.median(counts)))
    common = distinct[counts > limit]
    chosen = ~np.isnan(sketch.values) & ~np.isin(sketch.values, common)
    yield from _hashed(sketch, chosen)[:CELLS]


def course_fingerprints(sketch: ValueSketch) -> tuple[int, ...]:
    """The numbers, below 2⁶³, by which a copy is found that comes earlier or later: of the first
    keys that change."""
    changing = [
        place
        for place in range(len(sketch.keys))
        if len(np.unique(sketch.values[:, place][~np.isnan(sketch.values[:, place])])) >= MIN_COURSE
    ]
    chosen = np.zeros(sketch.values.shape, dtype=np.bool_)
    chosen[:, changing[:COURSES]] = ~np.isnan(sketch.values[:, changing[:COURSES]])
    return tuple(_hashed(sketch, chosen))


def _hashed(sketch: ValueSketch, chosen: NDArray[np.bool_]) -> list[int]:
    """Hashes of (key, value) of the chosen cells, ascending, each once."""
    keys = np.broadcast_to(np.asarray(sketch.keys, dtype=np.uint64), sketch.values.shape)[chosen]
    values = _nine_digits(sketch.values[chosen]).view(np.uint64)
    entity = np.uint64(_number(sketch.entity.encode()))
    mixed = _mixed(_mixed(keys ^ entity) + values)
    return [int(number) for number in np.unique(mixed >> np.uint64(1))]


def _months_of_keys(sketch: ValueSketch) -> Iterator[int]:
    """Instead of cells, where there are few values and single ones are often equal by chance: the
    first `MONTH_CELLS` values that a key has in a month, together."""
    made: set[int] = set()
    for month, rows in _months(sketch).items():
        part = sketch.values[rows]
        for place, key in enumerate(sketch.keys[:MONTH_KEYS]):
            values = part[:, place]
            known = values[~np.isnan(values)][:MONTH_CELLS]
            if len(known) == min(MONTH_CELLS, len(rows)) and (known != known[0]).any():
                name = f"{sketch.entity} {month} {key} "
                made.add(_number(name.encode() + known.tobytes()))
    yield from sorted(made)[:CELLS]


def _nine_digits(values: Floats) -> Floats:
    """Rounded to nine digits, so that the last bits of a sum do not count; no minus zero."""
    with np.errstate(all="ignore"):
        size = 10.0 ** (8 - np.floor(np.log10(np.abs(values))))
        made = np.round(values * size) / size
    kept: Floats = np.ascontiguousarray(np.where(np.isfinite(made), made, values) + 0.0)
    return kept


def _mixed(numbers: Numbers) -> Numbers:
    """Hash of 64 bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    one = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    two = (one ^ (one >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return two ^ (two >> np.uint64(31))


def _blocks(sketch: ValueSketch) -> Iterator[Block]:
    """(name, rows, columns): the anchors of one month with neighbouring keys. A name says which
    cells they are, so that two sketches that hold them both have it."""
    months = _months(sketch)
    width = min(BLOCK_KEYS, len(sketch.keys))
    named = []
    for start in range(0, len(sketch.keys) - width + 1, width):
        columns = list(range(start, start + width))
        for month, rows in months.items():
            name = f"{sketch.entity} {month} {sketch.keys[start : start + width]}"
            named.append((_number(name.encode()), name, rows, columns))
    for _, name, rows, columns in sorted(named, key=lambda block: block[0])[:BLOCKS]:
        yield name, rows, columns


def _months(sketch: ValueSketch) -> dict[tuple[int, int], list[int]]:
    """The rows of each month's anchors."""
    months: dict[tuple[int, int], list[int]] = {}
    for place, anchor in enumerate(sketch.anchors):
        months.setdefault((anchor.year, anchor.month), []).append(place)
    return months


def _quarters(values: Floats, ordered: Floats) -> NDArray[np.uint8]:
    """Which quarter of the known values each lies in, 0 to 3 by its middle rank; nulls apart."""
    low = np.searchsorted(ordered, values, "left")
    high = np.searchsorted(ordered, values, "right")
    quarter = np.minimum(2 * (low + high) // max(len(ordered), 1), 3)
    return np.asarray(np.where(np.isnan(values), _NULL, quarter), dtype=np.uint8)


def _of_blocks(
    sketch: ValueSketch,
    kind: str,
    blocks: list[Block],
    codes: NDArray[np.uint8],
) -> Iterator[int]:
    for name, rows, columns in blocks:
        block = codes[np.ix_(rows, columns)].reshape(-1)[:BLOCK_CELLS]
        if len(np.unique(block[block != _NULL])) > 1:
            yield _number(f"{kind} {name} ".encode() + block.tobytes())


def _patterns(sketch: ValueSketch, blocks: list[Block]) -> Iterator[int]:
    for name, rows, columns in blocks:
        block = sketch.values[np.ix_(rows, columns)].reshape(-1)[: 2 * BLOCK_CELLS]
        numbers: dict[float, int] = {}
        pattern = [255 if np.isnan(v) else numbers.setdefault(v, len(numbers)) for v in block]
        if 3 <= len(numbers) < len(block):
            yield _number(f"pattern {name} ".encode() + bytes(pattern))


def _ratios(sketch: ValueSketch) -> Iterator[int]:
    """Of three neighbouring keys at a month's first anchor: (a - b) / (a - c), to six digits."""
    made: list[int] = []
    for month, rows in _months(sketch).items():
        values = sketch.values[rows[0]]
        for start in range(0, len(sketch.keys) - 2, 3):
            a, b, c = values[start : start + 3].tolist()
            apart = a - c
            if a != b and math.isfinite((a - b) / apart if apart else math.nan):
                name = f"ratio {sketch.entity} {month} {sketch.keys[start : start + 3]} "
                made.append(_number(f"{name}{(a - b) / apart:.5e}".encode()))
    yield from sorted(made)[:RATIOS]


def _number(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
