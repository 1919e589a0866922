"""Several server processes in one command: started, replaced when dead, drained at the end.

What a worker is, is told by who starts it; how long to wait before a dead one is replaced is a
policy. The parent answers nothing itself: it holds the sockets, so that a connection that comes
while a worker is replaced waits instead of being refused.
"""

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from registry.kernel.errors import FieldhouseError, Unavailable

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05


class Worker(Protocol):
    """One started process."""

    @property
    def pid(self) -> int: ...

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        ...

    def ask_to_end(self) -> None:
        """Tell it to answer what is under way and end."""
        ...

    def end(self) -> None:
        """Wait for that for as long as it may take, then kill it; let go of what it held."""
        ...

    def last_words(self) -> str:
        """What it said last, for the log."""
        ...


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before a worker that failed is started again: `first_seconds`, twice as
    long each time, up to `longest_seconds`. One that had run for `settled_seconds` did not fail,
    and is replaced at once. `gives_up` says that workers which all refuse to serve (exit code 1)
    end the whole server."""

    first_seconds: float
    longest_seconds: float
    settled_seconds: float = 0.0
    gives_up: bool = False

    def after(self, failures: int) -> float:
        if not failures:
            return 0.0
        return min(self.longest_seconds, self.first_seconds * 2.0 ** (failures - 1))


class Supervisor:
    """`count` workers, each with a slot of its own from 0. `start` starts the worker of a slot; it
    may wait until that one serves, and raises a `FieldhouseError` when it cannot."""

    def __init__(self, start: Callable[[int], Worker], count: int, pauses: Pauses) -> None:
        self._start = start
        self._count = count
        self._pauses = pauses
        self._running: dict[int, Worker] = {}
        self._started: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._failures = dict.fromkeys(range(count), 0)
        self._stop = threading.Event()

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._running.values()]

    def run(self) -> None:
        """Start and watch until SIGTERM or SIGINT, then drain. In the main thread only.

        Raises what `start` raises, or `Unavailable` when no worker can serve.
        """

        def end(number: int, frame: FrameType | None) -> None:
            self.ask_to_stop()

        before = {sent: signal.signal(sent, end) for sent in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            self.watch()
        finally:
            self.stop()
            for sent, handler in before.items():
                signal.signal(sent, handler)

    def start(self) -> None:
        """Start all of them; when one cannot serve, ends the others and raises its error."""
        try:
            for slot in range(self._count):
                if not self._stop.is_set():
                    self._begin(slot)
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Replace whoever dies, until `ask_to_stop`."""
        while not self._stop.wait(_LOOK_SECONDS):
            for slot, worker in list(self._running.items()):
                if worker.ended() is not None:
                    self._note_death(slot, worker)
            now = time.monotonic()
            for slot in [slot for slot, due in self._due.items() if now >= due]:
                self._begin_again(slot)

    def ask_to_stop(self) -> None:
        self._stop.set()

    def stop(self) -> None:
        """Ask all of them at once to end, then wait for each."""
        self._stop.set()
        for worker in self._running.values():
            worker.ask_to_end()
        for worker in self._running.values():
            worker.end()
        self._running = {}

    def _begin(self, slot: int) -> None:
        self._running[slot] = self._start(slot)
        self._started[slot] = time.monotonic()

    def _begin_again(self, slot: int) -> None:
        del self._due[slot]
        try:
            self._begin(slot)
        except FieldhouseError as error:
            logger.error(str(error), extra={"action": "workers:failed", "slot": slot})
            self._note_failure(slot)

    def _note_death(self, slot: int, worker: Worker) -> None:
        code, said = worker.ended(), worker.last_words()
        logger.error(
            f"worker {worker.pid} ended with status {code}; another takes its place"
            + (f": {said}" if said else ""),
            extra={"action": "workers:replace", "pid": worker.pid, "slot": slot},
        )
        worker.end()
        del self._running[slot]
        if time.monotonic() - self._started[slot] >= self._pauses.settled_seconds:
            self._failures[slot] = 0
            self._due[slot] = time.monotonic()
        else:
            self._note_failure(slot)
        hopeless = code == 1 and all(self._failures.values()) and not self._running
        if hopeless and self._pauses.gives_up:
            raise Unavailable("no worker can serve", "see the log for what each of them said")

    def _note_failure(self, slot: int) -> None:
        self._failures[slot] += 1
        self._due[slot] = time.monotonic() + self._pauses.after(self._failures[slot])


@contextmanager
def held(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Listening sockets that workers inherit; afterwards they are closed, and their paths gone."""
    paths = [Path(name) for one in sockets if isinstance(name := one.getsockname(), str)]
    try:
        yield
    finally:
        for one in sockets:
            one.close()
        for path in paths:
            path.unlink(missing_ok=True)
