"""The feature server's worker processes: what `serve features --workers N` starts."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial

from featureserver.supervisor import Pauses, Supervisor, held
from registry.kernel.settings import Settings

PAUSES = Pauses(0.2, 10.0, settled_seconds=10.0, gives_up=True)


class LookupWorker:
    """One process on the parent's sockets; see `supervisor.Worker`."""

    def __init__(self, told: dict[str, object], descriptors: list[int], longest: float) -> None:
        self._longest = longest
        self._asked_at: float | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "featureserver.worker", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            pass_fds=descriptors,
            # A Ctrl-C in the terminal is for the parent, which then ends its workers in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        return self._process.poll()

    def ask_to_end(self) -> None:
        self._asked_at = time.monotonic()
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        asked_at = self._asked_at if self._asked_at is not None else time.monotonic()
        try:
            self._process.wait(max(0.1, asked_at + self._longest - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def last_words(self) -> str:
        """Nothing: what it says goes to the parent's own stderr."""
        return ""


def serve_with_workers(
    settings: Settings, sockets: Sequence[socket.socket], count: int, drain_seconds: int
) -> None:
    """Serve with `count` workers until SIGTERM or Ctrl-C; closes the sockets.

    In the main thread only. Raises `Unavailable` when no worker comes up at all.
    """
    from featureserver.redis_server import running_redis

    for one in sockets:
        os.set_inheritable(one.fileno(), True)
    with (
        held(sockets),
        running_redis(settings),
        tempfile.TemporaryDirectory(prefix="fieldhouse-metrics-") as metrics,
    ):
        descriptors = [one.fileno() for one in sockets]
        told = {"root": str(settings.root), "descriptors": descriptors, "metrics": metrics}
        start = partial(_start, told | {"drain_seconds": drain_seconds}, descriptors)
        Supervisor(start, count, PAUSES).run()


def _start(told: dict[str, object], descriptors: list[int], slot: int) -> LookupWorker:
    longest = float(str(told["drain_seconds"])) + 5.0
    return LookupWorker(told | {"slot": slot}, descriptors, longest)
