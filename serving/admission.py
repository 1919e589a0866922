"""Who is let in: requests that cannot be answered in good time are told at once. No HTTP here."""

import asyncio
from collections.abc import Callable
from time import monotonic

from serving.predict import Busy


class Admission:
    """Counts requests under way, and knows how long the one at hand has waited for its turn.

    Requests that an event loop finds ready together run one after the other: the first of them
    marks when their turn began, so the last ones know how long they have stood in line.
    """

    def __init__(
        self,
        most: int = 256,
        longest_wait_seconds: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.most = most
        self.longest_wait_seconds = longest_wait_seconds
        self.under_way = 0
        self._clock = clock
        self._turn_began: float | None = None

    def arrive(self) -> float:
        """The moment at which the request at hand was ready, on the `monotonic` clock."""
        now = self._clock()
        if self._turn_began is None:
            self._turn_began = now
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._turn_began

    def _end_turn(self) -> None:
        self._turn_began = None

    def enter(self, arrived: float) -> None:
        """Let a request in, which must `leave`; raises `Busy` when it would wait too long."""
        if self.under_way >= self.most:
            raise Busy(f"{self.under_way} requests are under way", "this server takes no more")
        waited = self._clock() - arrived
        if waited > self.longest_wait_seconds:
            raise Busy(f"this request stood in line for {waited:.2f} s", "the server is overloaded")
        self.under_way += 1

    def leave(self) -> None:
        self.under_way -= 1
