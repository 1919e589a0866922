"""A spine's join keys as small whole numbers, as which a history's keys are read too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.engines.arrays import int64s, numpy_of, where_true
from warehouse.engines.parts import Int64s


@dataclass(frozen=True, slots=True)
class SpineKeys:
    """`codes` of the spine rows at `positions`, those that lack no part of their key.

    One integer key is its own code, less `least`, and lies in `least` to `greatest`. Otherwise
    `table` has one row for each key: k0, k1, … and `code`.
    """

    positions: Int64s
    codes: Int64s
    table: pa.Table | None = None
    least: int = 0
    greatest: int = 0

    @property
    def count(self) -> int:
        """How many codes there are, of which the spine may lack some."""
        return self.greatest - self.least + 1 if self.table is None else self.table.num_rows


def encode_keys(keys: Sequence[pa.ChunkedArray], known: pa.ChunkedArray, spread: int) -> SpineKeys:
    """Encode the rows in which every key is there and `known` (bool) holds.

    A single integer key that spreads over no more than `spread` numbers stays what it is.
    """
    for key in keys:
        known = pc.and_(known, key.is_valid())
    positions = where_true(known)
    every = len(positions) == len(known)
    if not keys:  # all rows are of one thing
        return SpineKeys(positions, np.zeros(len(positions), dtype=np.int64))
    kept = [_whole(key if every else key.filter(known)) for key in keys]
    if not len(positions):
        return SpineKeys(positions, np.zeros(0, dtype=np.int64), _table(kept, positions, positions))
    if len(kept) == 1 and pa.types.is_integer(kept[0].type):
        values = numpy_of(kept[0])
        least, greatest = int(values.min()), int(values.max())
        if greatest - least <= spread:
            return SpineKeys(positions, values - least, None, least, greatest)
    codes, first = _codes(kept)
    return SpineKeys(positions, codes, _table(kept, codes[first], first))


def _codes(keys: Sequence[pa.Array]) -> tuple[Int64s, Int64s]:
    """A code for each row, and one row for each code."""
    codes = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        encoded = key.dictionary_encode()
        pairs = codes * len(encoded.dictionary) + numpy_of(encoded.indices).astype(np.int64)
        codes = numpy_of(int64s(pairs).dictionary_encode().indices).astype(np.int64)
    first = np.empty(int(codes.max()) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, first


def _table(keys: Sequence[pa.Array], codes: Int64s, rows: Int64s) -> pa.Table:
    columns = {f"k{place}": key.take(int64s(rows)) for place, key in enumerate(keys)}
    return pa.table({**columns, "code": int64s(codes)})


def _whole(key: pa.ChunkedArray) -> pa.Array:
    """One array; text long enough to need it gets wide offsets."""
    if pa.types.is_string(key.type) and key.nbytes > 1 << 30:
        key = key.cast(pa.large_string())
    joined = key.combine_chunks()
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
