"""One value at a time: Python ↔ wire → JSON, by feature type. Pure.

The *wire* form of a value is what a row holds, as plain as Python can say it: bool, int, float;
microseconds for a timestamp; text for string, decimal, uuid and json; a dict for map and struct;
bytes; a list of wire values for list<T> and set<T>. `wire_bytes` writes it into rows.
"""

import base64
import math
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import numpy as np

from featureserver.instants import instant_of, micros_of, read_instant
from featureserver.json_text import dump_json, load_json, wrong
from featureserver.wire_bytes import encoder
from registry.kernel.errors import Invalid
from registry.kernel.types import check_type, element_type

_MAX_DIGITS = 76
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
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


def plain_decimal(number: Decimal) -> str:
    """A finite decimal without exponent or trailing zeros: one text for one number."""
    if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
        raise Invalid(f"{number} is not a decimal of at most {_MAX_DIGITS} digits")
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _bool(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise wrong("true or false", value)
    return bool(value)


def _integer(bits: int) -> Convert:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def convert_integer(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise wrong("an integer", value)
        if not low <= value <= high:
            raise Invalid(f"{value} does not fit int{bits}")
        return int(value)

    return convert_integer


def _float64(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise wrong("a number", value)
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
        raise wrong("an instant", value)
    return micros_of(instant)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("a string", value)
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
            raise wrong("bytes or base64 text", value) from error
    if not isinstance(value, bytes | bytearray | memoryview):
        raise wrong("bytes", value)
    return bytes(value)


def _decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong("a decimal number", value)
    try:
        return plain_decimal(Decimal(value))
    except InvalidOperation as error:
        raise wrong("a decimal number", value) from error


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise wrong("a UUID", value) from error


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else dump_json(value)
    load_json(_string(text))
    return text


def _object(value: Any) -> dict[str, Any]:
    found = load_json(_string(value) if isinstance(value, str) else dump_json(value))
    if not isinstance(found, dict):
        raise wrong("an object", value)
    return found


def _list_to_wire(inner: str) -> Convert:
    each = to_wire(inner)

    def convert_list(value: Any) -> list[Any]:
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise wrong("a list", value)
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
    "map": lambda found: msgspec.Raw(dump_json(found).encode()),
    "struct": lambda found: msgspec.Raw(dump_json(found).encode()),
}
