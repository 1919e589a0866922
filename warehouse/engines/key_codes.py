"""The codes of a history's keys: those that the spine's have, -1 for keys that it lacks. Pure.

Whole numbers close together are their own codes, others are looked up in a table of hashes, and
text in Arrow's. Keys of several columns are pairs of what each column gives, looked up as numbers.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.engines.arrays import int64s, numpy_of, valid_of
from warehouse.engines.counting_sort import sort_by_code
from warehouse.engines.parts import Int64s
from warehouse.engines.spine_keys import SpineKeys

Codes: TypeAlias = "Callable[[pa.ChunkedArray], Int64s]"
KeyCodes: TypeAlias = "Callable[[Sequence[pa.ChunkedArray]], Int64s]"

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: Knuth, TAOCP 3, 6.4
_CLOSE = 8  # so many places a number, at most, where numbers are their own places
_TEXT = pa.large_string()


def key_codes(keys: SpineKeys) -> KeyCodes:
    """What gives each history row the code of its key, of one column or several; -1 where the spine
    lacks it. A row whose key lacks a part may get any code."""
    if keys.table is None:
        least, count = keys.least, keys.count
        return lambda columns: _near(columns[0], least, count)
    names = [name for name in keys.table.column_names if name != "code"]
    firsts, *rest = [_column_codes(keys.table.column(name)) for name in names]
    codes_of, own = firsts
    first, stages = codes_of, []
    for codes_of, more in rest:
        count = int(more.max(initial=0)) + 1
        pairs = int64s(own * count + more).dictionary_encode()
        own = numpy_of(pairs.indices).astype(np.int64)
        stages.append((codes_of, count, HashedNumbers(numpy_of(pairs.dictionary))))
    code = np.full(
        int(own.max()) + 2, -1, dtype=np.int64
    )  # the last one is found by what is not known
    code[own] = numpy_of(keys.table.column("code"))

    def codes(columns: Sequence[pa.ChunkedArray]) -> Int64s:
        found = first(columns[0])
        for column, (codes_of, count, table) in zip(columns[1:], stages, strict=True):
            more = codes_of(column)
            found = table.look_up(np.where((found < 0) | (more < 0), -1, found * count + more))
        return code[found]

    return codes


class HashedNumbers:
    """Whole numbers, none of them twice; the code of each is its place among them.

    They are kept in order of their hashes, of which there are two to four times as many; a table
    says where those of a hash begin.
    """

    def __init__(self, numbers: Int64s) -> None:
        bits = max(1, len(numbers).bit_length() + 1)
        self.shift = np.uint64(64 - bits)
        hashes = self._hashes(numbers)
        self.codes = sort_by_code(hashes)
        self.numbers = numbers[self.codes]
        sizes = np.bincount(hashes, minlength=1 << bits)
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)

    def look_up(self, numbers: Int64s) -> Int64s:
        """The code of each number, -1 for one that is not here."""
        hashes = self._hashes(numbers)
        place, end = self.first[hashes], self.first[hashes + 1]
        codes = np.full(len(numbers), -1, dtype=np.int64)
        left = np.flatnonzero(place < end)
        while len(left):
            at = place[left]
            equal = self.numbers[at] == numbers[left]
            codes[left[equal]] = self.codes[at[equal]]
            left = left[~equal]
            place[left] += 1
            left = left[place[left] < end[left]]
        return codes

    def _hashes(self, numbers: Int64s) -> Int64s:
        return ((numbers.view(np.uint64) * _ODD) >> self.shift).view(np.int64)


def _column_codes(values: pa.ChunkedArray) -> tuple[Codes, Int64s]:
    """What gives values their codes in this column, and the codes of the column's own."""
    encoded = values.chunk(0).dictionary_encode()
    own = numpy_of(encoded.indices).astype(np.int64)
    known = encoded.dictionary
    if not pa.types.is_integer(known.type):
        texts = known.cast(_TEXT)
        return lambda column: _text_codes(column, texts), own
    numbers = numpy_of(known)
    least, greatest = int(numbers.min()), int(numbers.max())
    if greatest - least < _CLOSE * len(numbers):
        return lambda column: _near(column, least, greatest - least + 1), numbers[own] - least
    table = HashedNumbers(numbers)
    return lambda column: table.look_up(_numbers(column)), own


def _near(column: pa.ChunkedArray, least: int, count: int) -> Int64s:
    """Numbers of which `count` from `least` on are their own codes."""
    codes = _numbers(column) - least
    codes[codes.view(np.uint64) >= count] = -1
    return codes


def _numbers(column: pa.ChunkedArray) -> Int64s:
    numbers: Int64s = numpy_of(column.cast(pa.int64()))
    return numbers


def _text_codes(column: pa.ChunkedArray, texts: pa.Array) -> Int64s:
    """Each text's place among `texts`, -1 for none. A dictionary's are looked up once each."""
    if not pa.types.is_dictionary(column.type):
        found = pc.index_in(column.cast(_TEXT), texts)
        return np.where(valid_of(found), numpy_of(found), -1).astype(np.int64)
    found = []
    for chunk in column.chunks:
        codes = _text_codes(pa.chunked_array([chunk.dictionary]), texts)
        places = numpy_of(chunk.indices.cast(pa.int64()))
        found.append(np.append(codes, -1)[np.where(valid_of(chunk.indices), places, -1)])
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)
