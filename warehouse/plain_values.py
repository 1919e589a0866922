"""Values of feature types as JSON carries them, and back: for columns that go between processes."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from registry.core.definitions import Scalar
from registry.core.value_diff import SampledColumn
from registry.kernel.clock import format_instant, parse_instant

CARRIED = ("bool", "int32", "int64", "float32", "float64", "string", "uuid", "json", "timestamp")
_FLOATS = ("float32", "float64")
_MOST_TEXT = 1000
_MOST_INTEGER = 1 << 63


def plain(values: Sequence[Any]) -> tuple[Scalar, ...]:
    """Each value as JSON has it: instants, numbers that are not finite and all else as text."""
    return tuple(map(_plain, values))


def _plain(value: Any) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MOST_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return format_instant(value) if isinstance(value, datetime) else str(value)[:_MOST_TEXT]


def unplain(column: SampledColumn) -> list[Any]:
    """The values of a column, as the data plane hands them to a function."""
    return [_value(value, column.dtype) for value in column.values]


def _value(value: Scalar, dtype: str) -> Any:
    if dtype == "timestamp" and isinstance(value, str):
        return parse_instant(value)
    return _number(value) if dtype in _FLOATS else value


def measured(values: Sequence[Scalar], dtype: str) -> list[Any]:
    """Values to compare, whatever they claim to be: numbers of a floating type, the rest as is."""
    return list(map(_number, values)) if dtype in _FLOATS else list(values)


def _number(value: Scalar) -> Any:
    """A float where there can be one; it may have been written as text: not finite, or none."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value
