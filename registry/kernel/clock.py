"""The one clock. Every "now" in Fieldhouse is asked of a `Clock` that was passed in.

Durations are measured with `time.perf_counter` where they are needed; they are not instants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from registry.kernel.errors import Invalid

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that stands still at a declared instant (the example data are of 2013)."""

    instant: datetime

    def __call__(self) -> datetime:
        return self.instant


def parse_instant(text: str, zone: tzinfo | None = None) -> datetime:
    """Read an ISO 8601 instant, as UTC. One without a zone is of `zone`, or refused when that is
    None, since it has no one meaning."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"{text!r} is not an instant", hint="write it as 2013-10-01T12:00:00Z"
        ) from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone)
    if instant.tzinfo is None:
        raise Invalid(f"instant {text!r} has no time zone", hint="add Z for UTC")
    return instant.astimezone(UTC)


def clock_at(instant: str | None) -> Clock:
    """The clock that configuration asks for: fixed at `instant`, or the system's when None."""
    return FixedClock(parse_instant(instant)) if instant else system_clock


def format_instant(instant: datetime) -> str:
    """RFC 3339 with `Z`, microseconds only where there are some."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
