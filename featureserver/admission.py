"""Turning lookups away early, so that those which are taken are answered in bounded time. Pure."""

from registry.kernel.errors import Unavailable

MOST_WAITING = 1024
LEAST_WAITING = 8
_WEIGHT = 0.05
# One lookup that was held up by something else says little of the next ones.
_MOST_TIMES = 4.0
_LEAST_SECONDS = 0.001


class Overloaded(Unavailable):
    """More lookups are under way than can be answered in time."""


class Admission:
    """Knows how long a lookup keeps the processor, and so how long a new one would wait.

    A lookup that would wait longer than `queue_seconds`, or is one of more than `most`, is refused;
    the first `LEAST_WAITING` never are.
    """

    def __init__(self, queue_seconds: float, most: int = MOST_WAITING) -> None:
        self._queue_seconds = queue_seconds
        self._most = most
        self._busy_seconds = 0.0
        self.waiting = 0

    def enter(self) -> None:
        """Take one more; raises `Overloaded`. Who is taken calls `leave`."""
        ahead = self.waiting * self._busy_seconds
        late = ahead > self._queue_seconds and self.waiting >= LEAST_WAITING
        if late or self.waiting >= self._most:
            raise Overloaded(
                "this server has more lookups than it can answer in time",
                f"{self.waiting} are under way, which is about {ahead * 1000:.0f} ms of work",
                "try again shortly, ask for fewer rows at once, or start more workers",
            )
        self.waiting += 1

    def leave(self, busy_seconds: float | None) -> None:
        """One is done, and kept the processor that long; None when it was not answered."""
        self.waiting -= 1
        if busy_seconds is not None:
            believed = min(busy_seconds, _LEAST_SECONDS + _MOST_TIMES * self._busy_seconds)
            self._busy_seconds += _WEIGHT * (believed - self._busy_seconds)
