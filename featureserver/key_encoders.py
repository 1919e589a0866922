"""How the values of join keys become bytes, in both key formats. Pure.

Format 2 differs in its integers alone: they are as short as their value. A generation's keys are
of one format, which the published state names. `docs/online-format.md` describes every byte.
"""

import base64
import math
import operator
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from featureserver.instants import micros_of, read_instant
from featureserver.values import plain_decimal
from registry.core.definitions import JoinKey
from registry.kernel.errors import Corrupt, Invalid

_INT64 = struct.Struct("<cq")
_FLOAT64 = struct.Struct("<cd")
_SHORT = tuple(bytes((n,)) for n in range(128))
_DIGITS = tuple(b"%d" % n for n in range(9))
_SIZES = {b"i": 8, b"T": 8, b"f": 8, b"t": 1, b"u": 16} | {d: n for n, d in enumerate(_DIGITS)}

Encoder = Callable[[Any], bytes]
Bulk = Callable[[Sequence[int]], list[bytes | None]]


def encoder_of(key: JoinKey, key_format: int) -> Encoder:
    """The encoder of a join key's type; raises `Invalid` for types that cannot be keys."""
    known = _ENCODERS if key_format == 1 else _ENCODERS | _SHORT_INTEGERS
    if key.dtype not in known:
        raise Invalid(
            f"join key {key.name!r} cannot be of type {key.dtype}",
            f"join keys may be {', '.join(known)}",
        )
    return known[key.dtype]


def shortened(entity: bytes) -> bytes:
    """An entity of either format, unescaped, in format 2. Raises `Corrupt` when it cannot be
    read."""
    made, at = b"", 0
    while at < len(entity):
        end = _end(entity, at)
        part = entity[at:end]
        made += short_integer(_INT64.unpack(part)[1]) if part[:1] == b"i" else part
        at = end
    return made


def _end(entity: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    tag, end = entity[at : at + 1], at + 1
    if tag in (b"s", b"b", b"d"):
        size = shift = 0
        while entity[end : end + 1] >= b"\x80":
            size |= (entity[end] & 127) << shift
            shift, end = shift + 7, end + 1
        end += 1 + (size | entity[end] << shift) if end < len(entity) else 1
    else:
        end += _SIZES.get(tag, len(entity))
    if end > len(entity):
        raise Corrupt("the entity of an online key cannot be read", f"found {entity!r}")
    return end


def _sized(tag: bytes, raw: bytes) -> bytes:
    size = len(raw)
    if size < 128:
        return tag + _SHORT[size] + raw
    length = bytearray()
    while size >= 128:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return tag + bytes(length) + raw


def _string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _wrong("a string", value)
    try:
        return _sized(b"s", value.encode())
    except UnicodeEncodeError as error:
        raise Invalid(f"{value!r} is not valid Unicode text") from error


def _integer(bits: int, write: Callable[[int], bytes]) -> Encoder:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def encode(value: Any) -> bytes:
        number = value if type(value) is int else _index(value)
        if not low <= number <= high:
            raise Invalid(f"{number} does not fit int{bits}")
        return write(number)

    return encode


def long_integer(number: int) -> bytes:
    """`i` and eight bytes."""
    return _INT64.pack(b"i", number)


def short_integer(number: int) -> bytes:
    """How many bytes it takes in two's complement, as a digit, and those bytes; none for 0."""
    if not number:
        return b"0"
    size = ((number if number > 0 else ~number).bit_length() >> 3) + 1
    return _DIGITS[size] + number.to_bytes(size, "little", signed=True)


def _encode_int64s(values: Sequence[int]) -> list[bytes | None]:
    """What `_encode_int64` gives for each, without a call of ours for each."""
    packed = _INT64.pack
    try:
        return [packed(b"i", value) for value in values]
    except struct.error:
        return [_encode_int64(value) for value in values]  # says which one does not fit


def _encode_short_int64s(values: Sequence[int]) -> list[bytes | None]:
    """What `_encode_short_int64` gives for each."""
    if min(values) <= 0 or max(values) >= 1 << 63:
        return [_encode_short_int64(value) for value in values]  # says which one does not fit
    return [
        _DIGITS[size := (value.bit_length() >> 3) + 1] + value.to_bytes(size, "little")
        for value in values
    ]


def _index(value: Any) -> int:
    if isinstance(value, bool):
        raise _wrong("an integer", value)
    try:
        return operator.index(value)
    except TypeError as error:
        raise _wrong("an integer", value) from error


def _bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise _wrong("true or false", value)
    return b"t\x01" if value else b"t\x00"


def _float(value: Any) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("a number", value)
    number = float(value)
    if math.isnan(number):
        raise _wrong("a number", value)
    return _FLOAT64.pack(b"f", number + 0.0)  # -0.0 and 0.0 are one key


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except ValueError as error:
            raise _wrong("bytes or base64 text", value) from error
    if not isinstance(value, bytes):
        raise _wrong("bytes", value)
    return _sized(b"b", value)


def _timestamp(value: Any) -> bytes:
    instant = read_instant(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise _wrong("an instant such as 2013-10-01T12:00:00Z", value)
    return _INT64.pack(b"T", micros_of(instant))


def _decimal(value: Any) -> bytes:
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        number = None
    if number is None or isinstance(value, bool) or not number.is_finite():
        raise _wrong("a decimal number", value)
    return _sized(b"d", plain_decimal(number).encode())


def _uuid(value: Any) -> bytes:
    try:
        return b"u" + uuid.UUID(str(value)).bytes
    except ValueError as error:
        raise _wrong("a UUID", value) from error


def _wrong(wanted: str, value: Any) -> Invalid:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Invalid(f"{shown} is not {wanted}", f"it is of type {type(value).__name__}")


_encode_int64 = _integer(64, long_integer)
_encode_short_int64 = _integer(64, short_integer)
_ENCODERS: dict[str, Encoder] = {
    "string": _string,
    "int64": _encode_int64,
    "int32": _integer(32, long_integer),
    "bool": _bool,
    "float32": _float,
    "float64": _float,
    "bytes": _bytes,
    "timestamp": _timestamp,
    "decimal": _decimal,
    "uuid": _uuid,
}
_SHORT_INTEGERS = {"int64": _encode_short_int64, "int32": _integer(32, short_integer)}
# Encoders that take many values at once, all of them of type int.
BULK: Mapping[Encoder, Bulk] = {
    _encode_int64: _encode_int64s,
    _encode_short_int64: _encode_short_int64s,
}
