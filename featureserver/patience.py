"""Looking again instead of sleeping: how long it is worth it. Nothing waits here.

To be put to sleep and woken takes a process longer than a near answer takes to come. So one who
waits may look again and again for a short while; where that was in vain it rests from it, twice as
long each time and up to a second.
"""

import time

REST_SECONDS = 1.0
_FIRST_REST_SECONDS = 0.01


class Patience:
    """How long to look now: nothing while it rests from having looked in vain."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rest = _FIRST_REST_SECONDS
        self._from = 0.0

    @property
    def now(self) -> float:
        return self._seconds if time.monotonic() >= self._from else 0.0

    def found(self) -> None:
        self._rest = _FIRST_REST_SECONDS

    def lost(self) -> None:
        self._from = time.monotonic() + self._rest
        self._rest = min(REST_SECONDS, 2 * self._rest)
