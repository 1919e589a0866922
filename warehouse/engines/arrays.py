"""Numpy arrays as Arrow arrays without a copy, and without pandas, which `pyarrow.array` imports
to look at what it is given: half a second and forty megabytes. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def arrow_of(
    values: npt.NDArray[Any], arrow: pa.DataType, missing: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """An array of numbers, of a type whose width is the values' own; null where `missing`."""
    valid, nulls = None, 0
    if missing is not None and missing.any():
        nulls = int(missing.sum())
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(arrow, len(values), [valid, data], nulls)


def int64s(values: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Whole numbers, null where `missing`."""
    return arrow_of(values, pa.int64(), missing)


def bools(values: npt.NDArray[np.bool_]) -> pa.Array:
    """True and false, none missing."""
    data = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, data], 0)


def numpy_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """The values of a number column that lacks none, without a copy where it is one piece."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [_numpy(chunk) for chunk in chunks]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, column.type.to_pandas_dtype())


def where_true(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The places at which a bool column that lacks none is true."""
    return np.flatnonzero(numpy_of(column.cast(pa.uint8())))


def _numpy(array: pa.Array) -> npt.NDArray[Any]:
    kind = np.dtype(array.type.to_pandas_dtype())
    if not len(array):
        return np.empty(0, kind)
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)
