"""Numpy arrays as Arrow arrays without a copy, and without pandas, which `pyarrow.array` imports
to look at what it is given: half a second and forty megabytes. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def arrow_of(
    values: npt.NDArray[Any], arrow: pa.DataType, missing: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """An array of numbers, of a type whose width is the values' own, or of bools from bytes; null
    where `missing`."""
    valid, nulls, rows = None, 0, len(values)
    if missing is not None and missing.any():
        nulls = int(missing.sum())
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    if pa.types.is_boolean(arrow):
        values = np.packbits(values, bitorder="little")
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(arrow, rows, [valid, data], nulls)


def int64s(values: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Whole numbers, null where `missing`."""
    return arrow_of(values, pa.int64(), missing)


def bools(values: npt.NDArray[np.bool_]) -> pa.Array:
    """True and false, none missing."""
    return arrow_of(values, pa.bool_())


def numpy_of(
    column: pa.Array | pa.ChunkedArray, kind: npt.DTypeLike | None = None
) -> npt.NDArray[Any]:
    """The values of a number column, without a copy where it is one piece; nulls are any number.

    `kind` is what to read them as, of the same width; by itself, the column's own.
    """
    chosen = np.dtype(column.type.to_pandas_dtype() if kind is None else kind)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [_numpy(chunk, chosen) for chunk in chunks]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, chosen)


def where_true(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The places at which a bool column that lacks none is true."""
    return np.flatnonzero(numpy_of(column.cast(pa.uint8())))


def valid_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Where a column has values."""
    return numpy_of(column.is_valid().cast(pa.uint8())).view(np.bool_)


def _numpy(array: pa.Array, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    data = array.buffers()[1]
    if not len(array) or data is None:
        return np.zeros(len(array), kind)
    return np.frombuffer(data, kind, len(array), array.offset * kind.itemsize)
