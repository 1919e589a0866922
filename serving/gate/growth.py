"""Does memory grow with requests, and what does one cost? A closed loop, read from outside."""

import os
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from registry.kernel.errors import Invalid, Unavailable
from serving.gate.memory import read_memory, read_stat, workers_of
from serving.wire import Address, Connection

_STEPS = 12
_WARM_STEPS = 4  # caches and arenas fill up first, in a healthy server as well


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident bytes after each step of requests, and processor seconds a request."""

    requests: int
    resident: tuple[int, ...]
    cpu_seconds: float

    @property
    def per_thousand(self) -> int:
        """Bytes per thousand requests: the mean step after the warm-up, but for the largest one.

        One jump of an allocator is left out so; a leak is in every step.
        """
        kept = self.resident[_WARM_STEPS:]
        steps = sorted(later - before for before, later in pairwise(kept))[:-1]
        size = self.requests / max(1, len(self.resident))
        return round(statistics.mean(steps) / size * 1000) if steps else 0


def measure_growth(
    pid: int, address: Address, requests: Sequence[bytes], count: int, refused: bool = False
) -> Growth:
    """Send `count` requests one after the other.

    Raises `Invalid` for an answer that is no 200, unless requests that are `refused` were meant.
    """
    size = max(1, count // _STEPS)
    resident: list[int] = []
    started = cpu_seconds(pid)
    with Connection(address) as connection:
        for step in range(_STEPS):
            for turn in range(size):
                reply = connection.send(requests[(step * size + turn) % len(requests)])
                if reply.status != 200 and not refused:
                    raise Invalid(
                        f"the model server answered {reply.status}", str(reply.body[:200])
                    )
            resident.append(read_memory(pid).resident)
    sent = size * _STEPS
    return Growth(sent, tuple(resident), (cpu_seconds(pid) - started) / sent)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its workers so far, user and system. Raises `Unavailable`."""
    try:
        ticks = _ticks(pid)
    except OSError as error:
        raise Unavailable(f"the time of process {pid} cannot be read", str(error)) from error
    for worker in workers_of(pid):
        with suppress(OSError):
            ticks += _ticks(worker)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    """Its own, and what processes took that it started and that have ended."""
    return sum(int(field) for field in read_stat(pid)[11:15])
