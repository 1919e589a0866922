"""One value at a time: Python ↔ wire ↔ bytes, by feature type. Pure; rows and keys build on it.

The *wire* form of a value is what a row holds, as plain as Python can say it: bool, int, float;
microseconds for a timestamp; text for string, decimal, uuid and json; a dict for map and struct;
bytes; a list of wire values for list<T> and set<T>.
"""

import base64
import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from featureserver.instants import check_micros, instant_of, micros_of, read_instant
from registry.kernel.errors import Corrupt, Invalid
from registry.kernel.types import check_type, element_type

CODES = {"bool": "?", "int32": "i", "int64": "q", "float32": "f", "float64": "d", "timestamp": "q"}
_COUNT = struct.Struct("<I")
_MAX_DIGITS = 76

Convert = Callable[[Any], Any]


def to_wire(dtype: str) -> Convert:
    """Python value (never None) to wire; raises `Invalid` when it is not of the type.

    Text is taken for timestamps (ISO 8601), bytes (base64), decimal and uuid, so the same
    function reads values that came as JSON.
    """
    inner = element_type(check_type(dtype))
    if inner is None:
        return _TO_WIRE[dtype]
    return _set_to_wire(inner) if dtype.startswith("set<") else _list_to_wire(inner)


def from_wire(dtype: str) -> Convert | None:
    """Wire value (never None) to the Python value promised by a lookup; None: it is the same."""
    inner = element_type(dtype)
    return _each(from_wire(inner)) if inner is not None else _FROM_WIRE.get(dtype)


def to_json(dtype: str) -> Convert | None:
    """Wire value to what Feast's server puts into JSON; None: it is the same.

    Timestamps are whole seconds, bytes base64, NaN and the infinities strings, maps objects.
    """
    inner = element_type(dtype)
    return _each(to_json(inner)) if inner is not None else _TO_JSON.get(dtype)


def convert(values: Sequence[Any], by: Convert | None) -> Sequence[Any]:
    """Each value converted; None stays None. Without `by` they are given back as they are."""
    if by is None:
        return values
    return [None if value is None else by(value) for value in values]


@lru_cache(maxsize=256)
def encoder(dtype: str) -> Callable[[Any], bytes]:
    """Wire value of a type of variable length to its bytes in a row."""
    inner = element_type(dtype)
    if inner is None:
        return _ENCODE[dtype]
    return _fixed_list_encoder(inner) if inner in CODES else _list_encoder(inner)


@lru_cache(maxsize=256)
def decoder(dtype: str) -> Callable[[bytes], Any]:
    """Bytes in a row to the wire value; raises `Corrupt` when they are not what `encoder` made."""
    inner = element_type(dtype)
    if inner is None:
        return _DECODE[dtype]
    return _fixed_list_decoder(inner) if inner in CODES else _list_decoder(inner)


def null_bitmap(values: Sequence[Any]) -> bytes:
    """One bit a value, the lowest bit of the first byte first; 1 means null."""
    bits = 0
    for index, value in enumerate(values):
        if value is None:
            bits |= 1 << index
    return bits.to_bytes(bitmap_bytes(len(values)), "little")


def bitmap_bytes(count: int) -> int:
    """How many bytes the null bits of `count` values take."""
    return (count + 7) // 8


def read_bitmap(raw: bytes, count: int) -> int:
    """The null bits as one integer; raises `Corrupt` when bits beyond `count` are set."""
    bits = int.from_bytes(raw, "little")
    if bits >> count:
        raise Corrupt("the null bits name columns that are not there")
    return bits


def plain_decimal(number: Decimal) -> str:
    """A finite decimal without exponent or trailing zeros: one text for one number."""
    if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
        raise Invalid(f"{number} is not a decimal of at most {_MAX_DIGITS} digits")
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _wrong(wanted: str, value: Any) -> Invalid:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Invalid(f"{shown} is not {wanted}", f"it is of type {type(value).__name__}")


def _bool(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _wrong("true or false", value)
    return bool(value)


def _integer(bits: int) -> Convert:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def convert_integer(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise _wrong("an integer", value)
        if not low <= value <= high:
            raise Invalid(f"{value} does not fit int{bits}")
        return int(value)

    return convert_integer


def _float64(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise _wrong("a number", value)
    try:
        return float(value)
    except OverflowError as error:
        raise Invalid(f"{value} does not fit float64") from error


def _float32(value: Any) -> float:
    number = _float64(value)
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError as error:
        raise Invalid(f"{value} does not fit float32") from error
    return rounded


def _timestamp(value: Any) -> int:
    instant = read_instant(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise _wrong("an instant", value)
    return micros_of(instant)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("a string", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"{value!r} is not valid Unicode text") from error
    return str(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError as error:
            raise _wrong("bytes or base64 text", value) from error
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong("bytes", value)
    return bytes(value)


def _decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _wrong("a decimal number", value)
    try:
        return plain_decimal(Decimal(value))
    except InvalidOperation as error:
        raise _wrong("a decimal number", value) from error


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise _wrong("a UUID", value) from error


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else _dump(value)
    _load(_string(text))
    return text


def _object(value: Any) -> dict[str, Any]:
    found = _load(_string(value) if isinstance(value, str) else _dump(value))
    if not isinstance(found, dict):
        raise _wrong("an object", value)
    return found


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong("something that JSON can say", value) from error


def _load(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _wrong("JSON", text) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _list_to_wire(inner: str) -> Convert:
    each = to_wire(inner)

    def convert_list(value: Any) -> list[Any]:
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise _wrong("a list", value)
        return [None if item is None else each(item) for item in value]

    return convert_list


def _set_to_wire(inner: str) -> Convert:
    as_list, key = _list_to_wire(inner), encoder(f"list<{inner}>")

    def convert_set(value: Any) -> list[Any]:
        return list({key([item]): item for item in as_list(value)}.values())

    return convert_set


def _each(by: Convert | None) -> Convert | None:
    return None if by is None else lambda values: convert(values, by)


def _finite(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Corrupt("text in a row is not UTF-8") from error


def _read_object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Corrupt("an object in a row is not JSON") from error
    if not isinstance(found, dict):
        raise Corrupt("an object in a row is another kind of JSON")
    return found


def _read_decimal(raw: bytes) -> str:
    if not _DECIMAL.fullmatch(raw):
        raise Corrupt("a decimal in a row is not a number")
    return raw.decode()


def _read_uuid(raw: bytes) -> str:
    if len(raw) != 16:
        raise Corrupt("a UUID in a row is not 16 bytes long")
    return str(uuid.UUID(bytes=raw))


def _split_list(raw: bytes) -> tuple[int, int, int]:
    """Count, null bits and where the elements start."""
    if len(raw) < 4:
        raise Corrupt("a list in a row is cut short")
    count = _COUNT.unpack_from(raw)[0]
    start = 4 + bitmap_bytes(count)
    if len(raw) < start:
        raise Corrupt("a list in a row is cut short")
    return count, read_bitmap(raw[4:start], count), start


def _fixed_list_encoder(inner: str) -> Callable[[Any], bytes]:
    code = CODES[inner]

    def encode(values: Sequence[Any]) -> bytes:
        head = _COUNT.pack(len(values)) + null_bitmap(values)
        filled = [0 if value is None else value for value in values]
        return head + struct.pack(f"<{len(filled)}{code}", *filled)

    return encode


def _fixed_list_decoder(inner: str) -> Callable[[bytes], Any]:
    code = CODES[inner]
    width = struct.calcsize(f"<{code}")

    def decode(raw: bytes) -> list[Any]:
        count, nulls, start = _split_list(raw)
        if len(raw) != start + count * width:
            raise Corrupt("a list in a row is not as long as it says")
        values: list[Any] = list(struct.unpack_from(f"<{count}{code}", raw, start))
        if inner == "timestamp":
            check_micros(values)
        return _with_nulls(values, nulls) if nulls else values

    return decode


def _list_encoder(inner: str) -> Callable[[Any], bytes]:
    encode_one = encoder(inner)

    def encode(values: Sequence[Any]) -> bytes:
        parts = [b"" if value is None else encode_one(value) for value in values]
        return b"".join(
            (_COUNT.pack(len(parts)), null_bitmap(values), pack_ends(parts), *parts),
        )

    return encode


def _list_decoder(inner: str) -> Callable[[bytes], Any]:
    decode_one = decoder(inner)

    def decode(raw: bytes) -> list[Any]:
        count, nulls, start = _split_list(raw)
        data = start + 4 * count
        if len(raw) < data:
            raise Corrupt("a list in a row is cut short")
        ends = struct.unpack_from(f"<{count}I", raw, start)
        pieces = cut(raw, data, ends)
        return [None if nulls >> i & 1 else decode_one(p) for i, p in enumerate(pieces)]

    return decode


def pack_ends(parts: Sequence[bytes]) -> bytes:
    """Where each part ends, counted from the start of the first one, as u32."""
    ends, total = [], 0
    for part in parts:
        total += len(part)
        ends.append(total)
    return struct.pack(f"<{len(ends)}I", *ends)


def cut(raw: bytes, data: int, ends: Sequence[int]) -> list[bytes]:
    """The parts that start at `data` and end at `ends`; raises `Corrupt` unless they fill `raw`."""
    pieces, start = [], 0
    for end in ends:
        if end < start:
            raise Corrupt("the parts of a row overlap")
        pieces.append(raw[data + start : data + end])
        start = end
    if data + start != len(raw):
        raise Corrupt("a row is not as long as it says")
    return pieces


def _with_nulls(values: list[Any], nulls: int) -> list[Any]:
    return [None if nulls >> index & 1 else value for index, value in enumerate(values)]


_DECIMAL = re.compile(rb"-?[0-9]{1,90}(\.[0-9]{1,90})?")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_TO_WIRE: dict[str, Convert] = {
    "bool": _bool,
    "int32": _integer(32),
    "int64": _integer(64),
    "float32": _float32,
    "float64": _float64,
    "timestamp": _timestamp,
    "string": _string,
    "bytes": _bytes,
    "decimal": _decimal,
    "uuid": _uuid,
    "json": _json,
    "map": _object,
    "struct": _object,
}
_FROM_WIRE: dict[str, Convert] = {
    "timestamp": instant_of,
    "decimal": Decimal,
}
_TO_JSON: dict[str, Convert] = {
    "float32": _finite,
    "float64": _finite,
    "timestamp": lambda micros: micros // 1_000_000,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "map": lambda found: msgspec.Raw(_dump(found).encode()),
    "struct": lambda found: msgspec.Raw(_dump(found).encode()),
}
_ENCODE: dict[str, Callable[[Any], bytes]] = {
    "string": str.encode,
    "bytes": bytes,
    "decimal": str.encode,
    "uuid": lambda text: uuid.UUID(text).bytes,
    "json": str.encode,
    "map": lambda found: _dump(found).encode(),
    "struct": lambda found: _dump(found).encode(),
}
_DECODE: dict[str, Callable[[bytes], Any]] = {
    "string": _text,
    "bytes": bytes,
    "decimal": _read_decimal,
    "uuid": _read_uuid,
    "json": _text,
    "map": _read_object,
    "struct": _read_object,
}
