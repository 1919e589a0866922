"""Feature types by name. A type is a string, so that it reads the same in JSON, TOML and Python.

Scalars are listed in `SCALARS`; `list<T>` and `set<T>` nest. Arrow types are made on demand, so
importing this module costs nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.kernel.errors import Invalid

if TYPE_CHECKING:
    import pyarrow as pa

SCALARS = (
    "bool",
    "int32",
    "int64",
    "float32",
    "float64",
    "string",
    "bytes",
    "timestamp",
    "decimal",
    "uuid",
    "json",
    "map",
    "struct",
)
FIXED_WIDTH_BYTES = {
    "bool": 1,
    "int32": 4,
    "int64": 8,
    "float32": 4,
    "float64": 8,
    "timestamp": 8,
}
NUMERIC = frozenset({"bool", "int32", "int64", "float32", "float64", "decimal"})
_NESTED = re.compile(r"^(list|set)<(.+)>$")


def check_type(name: str) -> str:
    """`name` itself when it is a feature type; raises `Invalid` otherwise."""
    inner = element_type(name)
    if inner is not None:
        check_type(inner)
        return name
    if name not in SCALARS:
        raise Invalid(f"unknown feature type {name!r}", f"known: {', '.join(SCALARS)}, list<T>")
    return name


def element_type(name: str) -> str | None:
    """The `T` of `list<T>` or `set<T>`; None for a scalar."""
    match = _NESTED.match(name)
    return match.group(2) if match else None


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type that carries feature type `name`. Timestamps are microseconds in UTC."""
    import pyarrow as pa

    inner = element_type(name)
    if inner is not None:
        return pa.list_(arrow_type(inner))
    scalars = {
        "bool": pa.bool_(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bytes": pa.binary(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "decimal": pa.decimal128(38, 9),
        "uuid": pa.string(),
        "json": pa.string(),
        "map": pa.string(),
        "struct": pa.string(),
    }
    return scalars[check_type(name)]


def type_of_arrow(arrow: pa.DataType) -> str:
    """The feature type that fits an Arrow type best; raises `Invalid` when none does."""
    import pyarrow as pa

    checks = (
        (pa.types.is_boolean, "bool"),
        (pa.types.is_int64, "int64"),
        (pa.types.is_uint32, "int64"),
        (pa.types.is_uint64, "int64"),
        (pa.types.is_integer, "int32"),
        (pa.types.is_float64, "float64"),
        (pa.types.is_floating, "float32"),
        (pa.types.is_decimal, "decimal"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "timestamp"),
        (pa.types.is_string, "string"),
        (pa.types.is_large_string, "string"),
        (pa.types.is_binary, "bytes"),
        (pa.types.is_large_binary, "bytes"),
        (pa.types.is_struct, "struct"),
        (pa.types.is_map, "map"),
    )
    if pa.types.is_dictionary(arrow):
        return type_of_arrow(arrow.value_type)
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"list<{type_of_arrow(arrow.value_type)}>"
    for matches, name in checks:
        if matches(arrow):
            return name
    raise Invalid(f"no feature type carries Arrow type {arrow}")
