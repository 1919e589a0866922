"""What one server process counts, and how the counts of several become one. No Prometheus here.

A process counts in plain memory, which costs less than a microsecond, and writes its counts to a
file of its own now and then; whoever is asked for metrics adds up all files. A worker that takes
a dead one's place goes on from its counts, so that counters only grow.
"""

from bisect import bisect_left
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

# Seconds, from 10 µs: a lookup's stages are that short.
BUCKETS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
STAGES = ("read", "plan", "store", "answer", "whole")


class Durations(msgspec.Struct):
    """A histogram: how many times fell into each bucket (the last one is open) and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: "Durations") -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


class Tally(msgspec.Struct):
    """Counts since the server started. `requests` is by service (or a stand-in) and status."""

    requests: dict[str, dict[int, int]] = msgspec.field(default_factory=dict)
    stages: dict[str, Durations] = msgspec.field(
        default_factory=lambda: {stage: Durations() for stage in STAGES}
    )
    rows: int = 0
    invalid: int = 0
    degraded: int = 0

    def answered(self, service: str, status: int) -> None:
        by_status = self.requests.setdefault(service, {})
        by_status[status] = by_status.get(status, 0) + 1

    def add(self, other: "Tally") -> None:
        """Take in another process's counts."""
        for service, by_status in other.requests.items():
            mine = self.requests.setdefault(service, {})
            for status, count in by_status.items():
                mine[status] = mine.get(status, 0) + count
        for stage, durations in other.stages.items():
            self.stages.setdefault(stage, Durations()).add(durations)
        self.rows += other.rows
        self.invalid += other.invalid
        self.degraded += other.degraded


class Countable(Protocol):
    """Counts of one process, a msgspec struct made without arguments."""

    def add(self, other: Any, /) -> None:
        """Take in another process's counts."""
        ...


T = TypeVar("T", bound=Countable)


class CountFiles(Generic[T]):
    """The counts of all workers of one server, a file each in `folder`; None keeps to oneself."""

    def __init__(self, kind: type[T], folder: Path | None = None, slot: int = 0) -> None:
        self._kind = kind
        self._folder = folder
        self._slot = slot
        self.own = kind()
        if folder is not None:
            self.own.add(self._read(folder / f"{slot}.json"))

    def publish(self) -> None:
        """Write this process's counts for the others; the file changes whole or not at all."""
        if self._folder is None:
            return
        made = self._folder / f"{self._slot}.new"
        with suppress(OSError):  # the supervisor has cleared up already
            made.write_bytes(msgspec.json.encode(self.own))
            made.replace(self._folder / f"{self._slot}.json")

    def total(self) -> T:
        """The counts of all workers: one's own as they are, the others' as last written."""
        whole = self._kind()
        whole.add(self.own)
        for file in self._folder.glob("*.json") if self._folder is not None else ():
            if file.stem != str(self._slot):
                whole.add(self._read(file))
        return whole

    def _read(self, file: Path) -> T:
        try:
            return msgspec.json.decode(file.read_bytes(), type=self._kind)
        except (OSError, msgspec.DecodeError):
            return self._kind()


class TallyFiles(CountFiles[Tally]):
    """The counts of a feature server's workers."""

    def __init__(self, folder: Path | None = None, slot: int = 0) -> None:
        super().__init__(Tally, folder, slot)
