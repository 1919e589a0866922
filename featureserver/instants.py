"""Instants as integers: microseconds since 1970 in UTC, the unit of packed rows. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from registry.kernel.clock import parse_instant
from registry.kernel.errors import Corrupt, Invalid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_TEXT = "1970-01-01T00:00:00Z"
_MICROSECOND = timedelta(microseconds=1)
EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def micros_of(instant: datetime) -> int:
    """Exact microseconds since the epoch; raises `Invalid` for an instant without a zone."""
    if instant.tzinfo is None:
        raise Invalid(f"instant {instant.isoformat()} has no time zone", hint="give it one, UTC")
    return (instant - EPOCH) // _MICROSECOND


def instant_of(micros: int) -> datetime:
    """The instant, aware, UTC; raises `Corrupt` outside the years 1 to 9999."""
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise Corrupt(f"{micros} microseconds is no instant that can be told") from error


def read_instant(text: str) -> datetime:
    """Read ISO 8601 as Feast's clients write it: without a zone it is UTC. Raises `Invalid`."""
    return parse_instant(text, UTC)


def check_micros(values: Iterable[int]) -> None:
    """Raise `Corrupt` when one of the wire timestamps is outside the years 1 to 9999."""
    for value in values:
        if not EARLIEST <= value <= LATEST:
            raise Corrupt(f"{value} microseconds is no instant that can be told")


@lru_cache(maxsize=4096)
def rfc3339(micros: int) -> str:
    """RFC 3339 with Z and 0, 3 or 6 fractional digits, as protobuf's JSON has it."""
    seconds, rest = divmod(micros, 1_000_000)
    base = instant_of(seconds * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if rest == 0:
        return base + "Z"
    return f"{base}.{rest // 1000:03d}Z" if rest % 1000 == 0 else f"{base}.{rest:06d}Z"
