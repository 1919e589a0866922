"""Times as whole ticks (micro- or nanoseconds since 1970 in UTC), and back. Pure Arrow, no SQL.

A time without a zone has no one meaning: the caller says which zone it is in. Where a clock was put
back, the spine's hour is read as the earlier one, and the history's as the later one, so that a
doubtful hour never shows a row its future.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.errors import Invalid

Unit = Literal["us", "ns"]
Ticks = npt.NDArray[np.int64]

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
PER_SECOND: dict[Unit, int] = {"us": 1_000_000, "ns": 1_000_000_000}
# Outside 1678..2261 nanoseconds since 1970 do not fit 64 bits.
NANOSECOND_RANGE = (-9_214_560_000_000_000, 9_183_110_400_000_000)
"""In microseconds. Where ticks are nanoseconds, a history's times outside are read as its ends."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Z", "+00:00"})


def check_time(column: str, arrow: pa.DataType, whose: str) -> None:
    """Raise `Invalid` unless an Arrow type is a date or a timestamp."""
    if pa.types.is_timestamp(arrow) or pa.types.is_date(arrow):
        return
    raise Invalid(
        f"{whose}: {column!r} must hold times",
        f"it holds {arrow}",
        "convert it to timestamps, with a zone where possible",
    )


def is_nanoseconds(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(arrow) and arrow.unit == "ns")


def in_utc(column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Timestamps with zone UTC; ones without a zone are read as local times of `zone`."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if column.type.tz is not None:
        return column.cast(pa.timestamp(column.type.unit, tz="UTC"))
    if zone in UTC_NAMES:
        return column.cast(pa.timestamp(column.type.unit, tz="UTC"))
    try:
        aware = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
    except pa.ArrowInvalid as error:
        raise Invalid(f"cannot read times as of zone {zone!r}", str(error)) from error
    return aware.cast(pa.timestamp(column.type.unit, tz="UTC"))


def ticks_of_column(column: pa.ChunkedArray, unit: Unit, zone: str) -> pa.ChunkedArray:
    """int64 ticks of a column of times, null where the time is.

    Raises `Invalid` for a time that nanoseconds cannot hold (before 1677, after 2262).
    """
    try:
        return (
            in_utc(column, zone)
            .cast(pa.timestamp(unit, tz="UTC"), safe=unit == "ns")
            .cast(pa.int64())
        )
    except pa.ArrowInvalid as error:
        raise Invalid("a time is out of range", str(error), "nanoseconds end in 2262") from error


def ticks_of(instant: datetime, unit: Unit) -> int:
    """Ticks of an aware instant; raises `Invalid` for one without a zone."""
    if instant.tzinfo is None:
        raise Invalid(f"instant {instant.isoformat()} has no time zone", hint="add tzinfo=UTC")
    micros = (instant - _EPOCH) // timedelta(microseconds=1)
    return micros * (PER_SECOND[unit] // PER_SECOND["us"])


def ticks_of_seconds(seconds: float, unit: Unit) -> int:
    return round(seconds * 1_000_000) * (PER_SECOND[unit] // PER_SECOND["us"])


def instants_of(ticks: pa.Array, unit: Unit) -> pa.Array:
    """timestamp[us, UTC] of int64 ticks; nanoseconds are cut, never rounded up."""
    return ticks.cast(pa.timestamp(unit, tz="UTC")).cast(UTC_MICROSECONDS, safe=False)
