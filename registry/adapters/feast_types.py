"""Feast's types by our names. Imports no Feast: types are told apart by their classes' names."""

from typing import Any

from registry.kernel.errors import Invalid

_SCALARS = {
    "BYTES": "bytes",
    "PDF_BYTES": "bytes",
    "IMAGE_BYTES": "bytes",
    "STRING": "string",
    "INT32": "int32",
    "INT64": "int64",
    "FLOAT32": "float32",
    "FLOAT64": "float64",
    "BOOL": "bool",
    "UNIX_TIMESTAMP": "timestamp",
    "ZONED_TIMESTAMP": "timestamp",
    "MAP": "map",
    "SCALAR_MAP": "map",
    "JSON": "json",
    "UUID": "uuid",
    "TIME_UUID": "uuid",
    "DECIMAL": "decimal",
}
_NESTED = {"Array": "list", "Set": "set"}


def feature_type(dtype: Any) -> str:
    """Our name of a Feast type; raises `Invalid` for one that carries no values."""
    kind = type(dtype).__name__
    if kind in _NESTED:
        return f"{_NESTED[kind]}<{feature_type(dtype.base_type)}>"
    if kind == "Struct":
        return "struct"
    name = getattr(dtype, "name", str(dtype))
    if name not in _SCALARS:
        raise Invalid(f"Feast type {name} is not a feature type")
    return _SCALARS[name]


def is_unknown(dtype: Any) -> bool:
    """Whether a Feast type or value type says nothing."""
    return getattr(dtype, "name", "") in {"INVALID", "UNKNOWN"}
