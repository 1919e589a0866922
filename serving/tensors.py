"""Tensors of the Open Inference Protocol to and from numpy: JSON and little-endian bytes.

Knows no request, model or HTTP. Every refusal is an `Invalid` that names the tensor.
"""

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid

Array = NDArray[Any]
# Lookup keys may stay a checked list of Python values: the lookup asks for just that.
Values = Array | list[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
_DEEPEST = 16
_BINARY_ONLY = frozenset({"FP16"})
_decode_floats = msgspec.json.Decoder(list[float]).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_anything = msgspec.json.Decoder().decode


def dtype_of(datatype: str, name: str) -> np.dtype[Any]:
    """The numpy type of a protocol datatype; raises `Invalid` for one we don't carry."""
    if datatype not in DTYPES:
        raise Invalid(
            f"tensor {name!r} has unknown datatype {datatype!r}", f"known: {', '.join(DTYPES)}"
        )
    return DTYPES[datatype]


def count_of(shape: Sequence[int], name: str) -> int:
    """The number of elements that a shape promises; raises `Invalid` for a negative size."""
    if any(size < 0 for size in shape):
        raise Invalid(f"tensor {name!r} has a negative size in shape {list(shape)}")
    return prod(shape)


def from_json(name: str, datatype: str, shape: Sequence[int], raw: bytes | msgspec.Raw) -> Array:
    """The tensor whose JSON `data` is nested or flat, row major; null reads as NaN in floats."""
    dtype = dtype_of(datatype, name)
    if datatype in _BINARY_ONLY:
        raise Invalid(f"tensor {name!r}: {datatype} travels only as binary data")
    count = count_of(shape, name)
    found = _plain_floats(raw) if dtype.kind == "f" else None
    flat = _elements(name, raw) if found is None else found
    if len(flat) != count:
        raise Invalid(
            f"tensor {name!r}: shape {list(shape)} needs {count} values", f"data has {len(flat)}"
        )
    typed = _typed(name, datatype, dtype, flat) if found is None else np.array(found, dtype)
    return typed.reshape(shape)


def texts_from_json(raw: bytes | msgspec.Raw, shape: Sequence[int]) -> list[Any] | None:
    """A flat list of as many texts as `shape` [n] says, the usual keys; None for anything else."""
    try:
        found: list[Any] = _decode_texts(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if list(shape) == [len(found)] else None


def _plain_floats(raw: bytes | msgspec.Raw) -> list[float] | None:
    """A flat list of numbers, the usual case, checked by the decoder; None for anything else."""
    try:
        return _decode_floats(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _elements(name: str, raw: bytes | msgspec.Raw) -> list[Any]:
    try:
        return _flatten(_decode_anything(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"tensor {name!r} has no data that can be read", str(error)) from error


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    flat: list[Any] = data
    for _ in range(_DEEPEST):
        if not any(isinstance(item, list) for item in flat):
            return flat
        flat = [inner for item in flat for inner in (item if isinstance(item, list) else [item])]
    raise Invalid(f"data is nested deeper than {_DEEPEST} lists")


def from_values(name: str, datatype: str, values: Any) -> Array:
    """The tensor of Python values: a scalar is one row, a list of lists has two dimensions."""
    dtype = dtype_of(datatype, name)
    nested = values if isinstance(values, list | tuple) else [values]
    width = len(nested[0]) if nested and isinstance(nested[0], list | tuple) else None
    flat = _flatten([list(v) if isinstance(v, tuple) else v for v in nested])
    if width is not None and len(flat) != width * len(nested):
        raise Invalid(f"tensor {name!r}: its rows differ in length")
    shape = (len(nested),) if width is None else (len(nested), width)
    return _typed(name, datatype, dtype, flat).reshape(shape)


def _typed(name: str, datatype: str, dtype: np.dtype[Any], flat: list[Any]) -> Array:
    check = {"f": _number_or_null, "b": _truth, "O": _text}.get(dtype.kind, _whole)
    try:
        return np.array([check(value) for value in flat], dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"tensor {name!r}: a value is not {datatype}", str(error)) from error


def _number_or_null(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise ValueError(f"{value!r} is not true or false")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _whole(value: Any) -> int:
    # Some clients send every JSON number as a float: compare by value, never truncate.
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def to_json(array: Array) -> list[Any]:
    """The flat, row major values; msgspec writes NaN and infinities as null."""
    values: list[Any] = array.reshape(-1).tolist()
    return values


def from_binary(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Array:
    """The tensor in little-endian `data`; raises `Invalid` when the size is not the shape's.

    Numbers are a read-only view of `data`, without a copy.
    """
    dtype = dtype_of(datatype, name)
    count = count_of(shape, name)
    if datatype == "BYTES":
        return _strings(name, count, data).reshape(shape)
    if len(data) != count * dtype.itemsize:
        raise Invalid(
            f"tensor {name!r}: shape {list(shape)} of {datatype} is {count * dtype.itemsize} bytes",
            f"{len(data)} were sent",
        )
    return np.frombuffer(data, dtype).reshape(shape)


def _strings(name: str, count: int, data: memoryview) -> Array:
    found: list[str] = []
    at = 0
    try:
        while at < len(data):
            (length,) = struct.unpack_from("<I", data, at)
            text = bytes(data[at + 4 : at + 4 + length])
            if len(text) != length:
                raise Invalid(f"tensor {name!r}: the last BYTES element is cut short")
            found.append(text.decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise Invalid(f"tensor {name!r}: BYTES data cannot be read", str(error)) from error
    if len(found) != count:
        raise Invalid(f"tensor {name!r}: its shape needs {count} elements", f"found {len(found)}")
    return np.array(found, dtype=object)


def to_binary(array: Array, datatype: str) -> bytes:
    """The tensor's little-endian bytes, row major; BYTES with a 4-byte length each."""
    if datatype != "BYTES":
        return np.ascontiguousarray(array, DTYPES[datatype]).tobytes()
    parts = []
    for value in array.reshape(-1).tolist():
        text = value if isinstance(value, bytes) else str(value).encode()
        parts.append(struct.pack("<I", len(text)) + text)
    return b"".join(parts)
