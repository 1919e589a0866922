"""Profiles of columns: counts, nulls, range, mean, distribution. Mergeable; no judgement here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.clock import format_instant
from registry.kernel.types import arrow_type
from warehouse.instants import in_utc
from warehouse.sketches import Sketch, sketch_values

Bound = float | int | str | None
MOST_VALUES = 64
_LONGEST_TEXT = 80


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What one column holds.

    `minimum` and `maximum` are numbers, texts or RFC 3339 instants. `sketch` and `mean` are of
    finite numbers (bools count as 0 and 1). `values` counts each value of a text or bool column,
    and is None when there are more than `MOST_VALUES` or the column is of another type.
    """

    rows: int
    nulls: int
    not_finite: int = 0
    minimum: Bound = None
    maximum: Bound = None
    mean: float | None = None
    sketch: Sketch | None = None
    values: tuple[tuple[str, int], ...] | None = None

    @property
    def null_rate(self) -> float:
        return self.nulls / self.rows if self.rows else 0.0

    def quantile(self, share: float) -> float | None:
        return self.sketch.quantile(share) if self.sketch else None

    def merge(self, other: "ColumnProfile") -> "ColumnProfile":
        """The profile of both parts together. The parts are of one column, so of one type."""
        return ColumnProfile(
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            not_finite=self.not_finite + other.not_finite,
            minimum=_extreme(min, self.minimum, other.minimum),
            maximum=_extreme(max, self.maximum, other.maximum),
            mean=_pooled(self, other),
            sketch=_merged(self.sketch, other.sketch),
            values=_summed(self.values, other.values),
        )


def profile_table(table: pa.Table) -> dict[str, ColumnProfile]:
    """Each column's profile, by name."""
    return {name: profile_column(table.column(name)) for name in table.column_names}


def profile_column(column: pa.ChunkedArray) -> ColumnProfile:
    """One column's profile, taken chunk by chunk."""
    parts = [_profile_chunk(chunk) for chunk in column.chunks]
    return (
        reduce(ColumnProfile.merge, parts) if parts else _profile_chunk(pa.array([], column.type))
    )


def _profile_chunk(array: pa.Array) -> ColumnProfile:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_float16(array.type):  # for which Arrow has few functions
        array = array.cast(pa.float32())
    rows, nulls, arrow = len(array), array.null_count, array.type
    if pa.types.is_boolean(arrow):
        return _numeric(array.cast(pa.int8()), rows, nulls, _counts(array.cast(pa.string())))
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return _numeric(array, rows, nulls, None)
    if pa.types.is_timestamp(arrow) or pa.types.is_date(arrow):
        earliest, latest = _instants(array)
        return ColumnProfile(rows, nulls, minimum=earliest, maximum=latest)
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        low, high = _range(array)
        return ColumnProfile(
            rows, nulls, minimum=_cut(low), maximum=_cut(high), values=_counts(array)
        )
    return ColumnProfile(rows, nulls)


_INSTANT = arrow_type("timestamp")
# What Python's datetimes hold, in microseconds since 1970: the years 1 to 9999.
_TOLD = (-62_135_596_800_000_000, 253_402_300_799_999_999)


def _instants(array: pa.Array) -> tuple[str | None, str | None]:
    """The bounds of times as texts; those out of the years that have names are left out."""
    try:
        instants = in_utc(pa.chunked_array([array]), "UTC").cast(_INSTANT, safe=False)
    except pa.ArrowInvalid:  # seconds that no number of microseconds can hold
        return None, None
    low, high = _range(instants.cast(pa.int64()))
    if low is None or low < _TOLD[0] or high > _TOLD[1]:
        return None, None
    told = pa.array([low, high]).cast(_INSTANT).to_pylist()
    return format_instant(told[0]), format_instant(told[1])


def _numeric(
    array: pa.Array, rows: int, nulls: int, values: tuple[tuple[str, int], ...] | None
) -> ColumnProfile:
    exact = array.drop_null()
    floats = exact.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite = floats[np.isfinite(floats)]
    low, high = _range(exact) if len(finite) == len(floats) else _range(pa.array(finite))
    if pa.types.is_decimal(array.type) and low is not None:
        low, high = float(low), float(high)
    return ColumnProfile(
        rows=rows,
        nulls=nulls,
        not_finite=len(floats) - len(finite),
        minimum=low,
        maximum=high,
        mean=float(np.mean(finite)) if len(finite) else None,
        sketch=sketch_values(finite),
        values=values,
    )


def _range(array: pa.Array | pa.ChunkedArray) -> tuple[Any, Any]:
    found = pc.min_max(array)
    return found["min"].as_py(), found["max"].as_py()


def _counts(array: pa.Array) -> tuple[tuple[str, int], ...] | None:
    counted = array.drop_null().value_counts()
    if len(counted) > MOST_VALUES:
        return None
    return tuple(sorted((_cut(c["values"].as_py()) or "", c["counts"].as_py()) for c in counted))


def _cut(text: object) -> str | None:
    return None if text is None else str(text)[:_LONGEST_TEXT]


def _extreme(choose: Callable[[list[Any]], Bound], left: Bound, right: Bound) -> Bound:
    known = [value for value in (left, right) if value is not None]
    return choose(known) if known else None


def _pooled(left: ColumnProfile, right: ColumnProfile) -> float | None:
    parts = [(p.mean, p.sketch.count) for p in (left, right) if p.mean is not None and p.sketch]
    total = sum(count for _, count in parts)
    return sum(mean * count for mean, count in parts) / total if total else None


def _merged(left: Sketch | None, right: Sketch | None) -> Sketch | None:
    if left is None or right is None:
        return left or right
    return left.merge(right)


def _summed(
    left: tuple[tuple[str, int], ...] | None, right: tuple[tuple[str, int], ...] | None
) -> tuple[tuple[str, int], ...] | None:
    if left is None or right is None:
        return None
    total = dict(left)
    for value, count in right:
        total[value] = total.get(value, 0) + count
    return tuple(sorted(total.items())) if len(total) <= MOST_VALUES else None
