"""Columns of an answer, filled from pieces in any order and by several threads. No I/O."""

from typing import Protocol

import numpy as np
import pyarrow as pa

from warehouse.engines.arrays import arrow_of, int64s, numpy_of, valid_of
from warehouse.engines.parts import Bools, Int64s

_WIDTHS = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}
_LONG_BYTES = 1 << 30  # text of more than twice that has no place in one array


class Filled(Protocol):
    """A column of as many rows as the spine has; no row is given twice."""

    def put(self, first: int, values: pa.Array | pa.ChunkedArray, row: Int64s, at: Int64s) -> None:
        """Give the spine rows `at` the values at `row`; `first` counts what stands before these in
        the order of pieces."""
        ...

    def result(self) -> pa.Array | pa.ChunkedArray:
        """The whole column, null where nothing was put."""
        ...


def is_number(arrow: pa.DataType) -> bool:
    """Whether a value is one number of a fixed width, or true or false."""
    return bool(pa.types.is_primitive(arrow) and arrow.bit_width in (1, *_WIDTHS))


class Numbers:
    """Values of a fixed width, which numpy moves to their places whatever they mean."""

    def __init__(self, arrow: pa.DataType, missing: Bools) -> None:
        self.arrow = arrow
        self.values = np.zeros(len(missing), _WIDTHS[max(8, arrow.bit_width)])
        self.missing = missing.copy()

    def put(self, first: int, values: pa.Array | pa.ChunkedArray, row: Int64s, at: Int64s) -> None:
        if values.type != self.arrow:
            values = values.cast(self.arrow)
        if values.null_count:
            self.missing[at] = ~valid_of(values)[row]
        if pa.types.is_boolean(self.arrow):
            values = values.cast(pa.uint8())
        self.values[at] = numpy_of(values, self.values.dtype)[row]

    def result(self) -> pa.Array:
        return arrow_of(self.values, self.arrow, self.missing)


class Pieces:
    """Values of any type: pieces put together in their order, then taken to their places."""

    def __init__(self, arrow: pa.DataType, missing: Bools, order: Int64s) -> None:
        self.arrow = arrow
        self.missing = missing
        self.order = order
        self.pieces: dict[int, pa.Array | pa.ChunkedArray] = {}

    def put(self, first: int, values: pa.Array | pa.ChunkedArray, row: Int64s, at: Int64s) -> None:
        self.pieces[first] = values.take(int64s(row)).cast(self.arrow)

    def result(self) -> pa.ChunkedArray:
        place = np.zeros(len(self.missing), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        whole = _joined([self.pieces.pop(first) for first in sorted(self.pieces)], self.arrow)
        return whole.take(int64s(place, self.missing))


def _joined(
    pieces: list[pa.Array | pa.ChunkedArray], arrow: pa.DataType
) -> pa.Array | pa.ChunkedArray:
    chunks = [c for p in pieces for c in (p.chunks if isinstance(p, pa.ChunkedArray) else [p])]
    if sum(chunk.nbytes for chunk in chunks) > _LONG_BYTES:
        return pa.chunked_array(chunks, arrow)
    return pa.concat_arrays(chunks) if chunks else pa.nulls(0, arrow)
