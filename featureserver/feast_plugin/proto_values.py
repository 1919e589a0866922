"""Feast's value protos to wire values of a row, and back, by the field's declared type.

What most features are is read and written directly; the rest goes through Feast's own conversion to
Python values, so that it means what Feast means by it.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.value_type import ValueType

from featureserver.values import from_wire, plain_decimal, to_wire
from registry.kernel.errors import Corrupt
from registry.kernel.types import element_type

Convert = Callable[[Any], Any]
_MICROS = 1_000_000
_DIRECT = {
    ValueType.INT32: "int32_val",
    ValueType.INT64: "int64_val",
    ValueType.DOUBLE: "double_val",
    ValueType.FLOAT: "float_val",
    ValueType.BOOL: "bool_val",
    ValueType.STRING: "string_val",
    ValueType.BYTES: "bytes_val",
    ValueType.IMAGE_BYTES: "bytes_val",
    ValueType.PDF_BYTES: "bytes_val",
    ValueType.JSON: "json_val",
}
_DIRECT_LISTS = {
    ValueType.INT32_LIST: "int32_list_val",
    ValueType.INT64_LIST: "int64_list_val",
    ValueType.DOUBLE_LIST: "double_list_val",
    ValueType.FLOAT_LIST: "float_list_val",
    ValueType.BOOL_LIST: "bool_list_val",
    ValueType.STRING_LIST: "string_list_val",
    ValueType.BYTES_LIST: "bytes_list_val",
    ValueType.JSON_LIST: "json_list_val",
}

_KEYS: dict[str, Convert] = {
    "bool": lambda text: text == "True",
    "int": int,
    "float": float,
    "UUID": UUID,
    "Decimal": Decimal,
    "bytes": b64decode,
    "datetime": datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class ValueCodec:
    """Converts the values of one field: `wire` takes a proto (None for null), `proto` a wire value
    (None for null)."""

    wire: Convert
    proto: Convert


@lru_cache(maxsize=512)
def codec(dtype: str, value_type: ValueType) -> ValueCodec:
    """The codec of a field of our type `dtype`, which Feast calls `value_type`."""
    if value_type in _DIRECT:
        return _direct(_DIRECT[value_type])
    if value_type in _DIRECT_LISTS:
        return _direct_list(_DIRECT_LISTS[value_type])
    if value_type == ValueType.UNIX_TIMESTAMP:
        return _timestamp()
    if value_type == ValueType.SCALAR_MAP:
        return _scalar_map()
    return _by_feast(dtype, value_type)


def is_null(value: Value) -> bool:
    """Whether a proto says nothing."""
    kind = value.WhichOneof("val")
    return kind is None or kind == "null_val"


def _direct(field: str) -> ValueCodec:
    return ValueCodec(
        lambda value: None if is_null(value) else getattr(value, field),
        lambda wire: Value() if wire is None else Value(**{field: wire}),
    )


def _direct_list(field: str) -> ValueCodec:
    def proto(wire: Any) -> Value:
        made = Value()
        if wire is not None:
            getattr(made, field).SetInParent()  # an empty list is a list
            getattr(made, field).val.extend(wire)
        return made

    return ValueCodec(
        lambda value: None if is_null(value) else list(getattr(value, field).val), proto
    )


def _timestamp() -> ValueCodec:
    """Feast's timestamps are whole seconds, the smallest of which stands for null."""

    def wire(value: Value) -> int | None:
        python = feast_value_type_to_python_type(value)
        return None if python is None else value.unix_timestamp_val * _MICROS

    return ValueCodec(
        wire,
        lambda micros: Value() if micros is None else Value(unix_timestamp_val=micros // _MICROS),
    )


def _by_feast(dtype: str, value_type: ValueType) -> ValueCodec:
    to, back = to_wire(dtype), from_wire(dtype)

    def wire(value: Value) -> Any:
        if is_null(value):
            return None
        python = feast_value_type_to_python_type(value, value_type)
        return None if python is None else to(_plain(python))

    def proto(found: Any) -> Value:
        if found is None:
            return Value()
        python = found if back is None else back(found)
        made: list[Value] = python_values_to_proto_values([_theirs(python, dtype)], value_type)
        return made[0]

    return ValueCodec(wire, proto)


def _scalar_map() -> ValueCodec:
    """A map whose keys are no texts: a key's type stands before it, as in `int:7`."""
    to = to_wire("map")

    def wire(value: Value) -> Any:
        python = feast_value_type_to_python_type(value)
        if python is None:
            return None
        return to({_tagged(key): item for key, item in python.items()})

    def proto(found: Any) -> Value:
        if found is None:
            return Value()
        python = {_untagged(key): item for key, item in found.items()}
        made: list[Value] = python_values_to_proto_values([python], ValueType.SCALAR_MAP)
        return made[0]

    return ValueCodec(wire, proto)


def _tagged(key: Any) -> str:
    text = b64encode(key).decode() if isinstance(key, bytes) else str(key)
    return f"{type(key).__name__}:{text}"


def _untagged(key: str) -> Any:
    tag, _, text = key.partition(":")
    if tag not in _KEYS:
        raise Corrupt(f"the key {key!r} of a scalar map says no type", f"known: {', '.join(_KEYS)}")
    return _KEYS[tag](text)


def _plain(value: Any) -> Any:
    """Sets and numbers as `to_wire` takes them."""
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return plain_decimal(value)
    return value


def _theirs(value: Any, dtype: str) -> Any:
    """As Feast takes them: sets as sets, instants whole."""
    inner = element_type(dtype)
    if inner is not None and isinstance(value, list):
        items = [None if item is None else _theirs(item, inner) for item in value]
        return set(items) if dtype.startswith("set<") and element_type(inner) is None else items
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    return value
