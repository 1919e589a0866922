"""Several server processes on the same listening sockets: started together, replaced when dead.

The parent opens the sockets and the embedded Redis and answers nothing itself. Since it holds the
sockets, a connection that comes while a worker is replaced waits instead of being refused.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from registry.kernel.errors import Unavailable
from registry.kernel.settings import Settings

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05
_LONGEST_PAUSE = 10.0
_SETTLED_SECONDS = 10.0


class Workers:
    """`count` processes, each with a slot of its own from 0."""

    def __init__(
        self, settings: Settings, sockets: Sequence[socket.socket], count: int, drain_seconds: int
    ) -> None:
        self._root = settings.root
        self._descriptors = [one.fileno() for one in sockets]
        self._count = count
        self._drain_seconds = drain_seconds
        self._metrics = tempfile.TemporaryDirectory(prefix="fieldhouse-metrics-")
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._started: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._failures = dict.fromkeys(range(count), 0)
        self._ending = False

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._running.values()]

    def run(self) -> None:
        """Start them, and replace whoever dies, until SIGTERM or SIGINT; then let them drain.

        In the main thread only. Raises `Unavailable` when no worker comes up at all.
        """
        before = {sent: signal.signal(sent, self._end) for sent in (signal.SIGTERM, signal.SIGINT)}
        try:
            for slot in range(self._count):
                self._start(slot)
            while not self._ending:
                self._look()
                time.sleep(_LOOK_SECONDS)
        finally:
            self._drain()
            for sent, handler in before.items():
                signal.signal(sent, handler)
            self._metrics.cleanup()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True

    def _start(self, slot: int) -> None:
        told = {
            "root": str(self._root),
            "descriptors": self._descriptors,
            "slot": slot,
            "metrics": self._metrics.name,
            "drain_seconds": self._drain_seconds,
        }
        self._running[slot] = subprocess.Popen(
            [sys.executable, "-m", "featureserver.worker", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            pass_fds=self._descriptors,
            # A Ctrl-C in the terminal is for the parent, which then ends its workers in order.
            start_new_session=True,
        )
        self._started[slot] = time.monotonic()

    def _look(self) -> None:
        now = time.monotonic()
        for slot, process in list(self._running.items()):
            if process.poll() is not None:
                self._note_death(slot, process, now)
        for slot, due in list(self._due.items()):
            if now >= due:
                del self._due[slot]
                self._start(slot)

    def _note_death(self, slot: int, process: subprocess.Popen[str], now: float) -> None:
        del self._running[slot]
        if process.stdin is not None:
            process.stdin.close()
        settled = now - self._started[slot] > _SETTLED_SECONDS
        self._failures[slot] = 0 if settled else self._failures[slot] + 1
        pause = 0.0 if settled else min(_LONGEST_PAUSE, 0.1 * 2.0 ** self._failures[slot])
        self._due[slot] = now + pause
        logger.error(
            f"worker {process.pid} ended with status {process.returncode}; another takes its place",
            extra={"action": "workers:replace", "pid": process.pid, "slot": slot},
        )
        if process.returncode == 1 and all(self._failures.values()) and not self._running:
            raise Unavailable("no worker can serve", "see the log for what each of them said")

    def _drain(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._drain_seconds + 5.0
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def serve_with_workers(
    settings: Settings, sockets: Sequence[socket.socket], count: int, drain_seconds: int
) -> None:
    """Serve with `count` workers until SIGTERM or Ctrl-C; closes the sockets."""
    from featureserver.redis_server import running_redis

    paths = [Path(name) for one in sockets if isinstance(name := one.getsockname(), str)]
    for one in sockets:
        os.set_inheritable(one.fileno(), True)
    try:
        with running_redis(settings):
            Workers(settings, sockets, count, drain_seconds).run()
    finally:
        for one in sockets:
            one.close()
        for path in paths:
            path.unlink(missing_ok=True)
