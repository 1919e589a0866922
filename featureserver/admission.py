"""Turning requests away early, so that those which are let in are answered in bounded time.

One count for both servers, and two policies: by the work that lies before a request (lookups,
which keep the processor), or by how many are under way (predictions, which may wait elsewhere).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from registry.kernel.errors import Unavailable

_WEIGHT = 0.05
# One request that was held up by something else says little of the next ones.
_MOST_TIMES = 4.0
_LEAST_SECONDS = 0.001


class Overloaded(Unavailable):
    """More requests wait than can be answered in good time."""


class Line(Protocol):
    """What a policy sees: requests under way, requests of this turn of the loop, and how long one
    request keeps the processor, on average."""

    @property
    def under_way(self) -> int: ...

    @property
    def in_turn(self) -> int: ...

    @property
    def busy_seconds(self) -> float: ...


class Policy(Protocol):
    """Raises `Overloaded` for a request that has stood in line for `waited_seconds` already."""

    def check(self, line: Line, waited_seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class ByWork:
    """Refuses a request that would wait longer than `longest_wait_seconds` for those before it, or
    is one of more than `most`. The first `few` are never refused."""

    longest_wait_seconds: float
    most: int = 1024
    few: int = 8

    def check(self, line: Line, waited_seconds: float) -> None:
        if line.under_way < self.few and line.in_turn <= self.few:
            return
        ahead = waited_seconds + line.under_way * line.busy_seconds
        if ahead > self.longest_wait_seconds or line.under_way >= self.most:
            raise Overloaded(
                "this server has more lookups than it can answer in time",
                f"{line.under_way} are under way, and the wait is about {ahead * 1000:.0f} ms",
                "try again shortly, ask for fewer rows at once, or start more workers",
            )


@dataclass(frozen=True, slots=True)
class ByWait:
    """Refuses a request that has stood in line for longer than `longest_wait_seconds`, or finds
    `most` under way."""

    most: int = 256
    longest_wait_seconds: float = 1.0

    def check(self, line: Line, waited_seconds: float) -> None:
        if line.under_way >= self.most:
            raise Overloaded(
                f"{line.under_way} requests are under way", "this server takes no more"
            )
        if waited_seconds > self.longest_wait_seconds:
            raise Overloaded(
                f"this request stood in line for {waited_seconds:.2f} s", "the server is overloaded"
            )


class Admission:
    """Counts requests under way, and knows how long the one at hand has waited for its turn.

    Requests that an event loop finds ready together run one after the other: the first of them
    marks when their turn began, so the last ones know how long they have stood in line.
    """

    def __init__(self, policy: Policy, clock: Callable[[], float] = monotonic) -> None:
        self._check = policy.check
        self._clock = clock
        self.under_way = 0
        self.in_turn = 0
        self.busy_seconds = 0.0
        self._last_turn = 0
        self._turn_began = 0.0

    def arrive(self) -> float:
        """The moment at which the request at hand was ready, on the `monotonic` clock."""
        if not self.in_turn:
            self._turn_began = self._clock()
            asyncio.get_running_loop().call_soon(self._end_turn)
        self.in_turn += 1
        return self._turn_began

    def _end_turn(self) -> None:
        self._last_turn, self.in_turn = self.in_turn, 0

    @property
    def alone(self) -> bool:
        """Whether the request at hand is the only one, as far as can be known."""
        return self.under_way <= 1 and self.in_turn <= 1 and self._last_turn <= 1

    def enter(self, arrived: float) -> None:
        """Let a request in, which must `leave`; raises `Overloaded`."""
        self._check(self, self._clock() - arrived)
        self.under_way += 1

    def leave(self, busy_seconds: float | None = None) -> None:
        """One is done, and kept the processor that long; None when that was not measured."""
        self.under_way -= 1
        if busy_seconds is not None:
            believed = min(busy_seconds, _LEAST_SECONDS + _MOST_TIMES * self.busy_seconds)
            self.busy_seconds += _WEIGHT * (believed - self.busy_seconds)
