"""Several server processes on the same sockets: started one after the other, replaced when dead."""

import logging
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec

from registry.kernel.errors import FieldhouseError
from registry.kernel.settings import Settings
from serving.process import ServerProcess, spawn_server
from serving.spec import ServerSpec

logger = logging.getLogger(__name__)
_READY_SECONDS = 300.0
_LOOK_EVERY_SECONDS = 0.2
_LONGEST_PAUSE = 30.0


class Workers:
    """`count` processes of one spec. They load one at a time, so that their peaks do not add up."""

    def __init__(
        self, settings: Settings, spec: ServerSpec, count: int, sockets: Sequence[socket.socket]
    ) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="fh-workers-")
        self._spec = replace_spec(spec, sockets, Path(self._folder.name))
        self._running: dict[int, ServerProcess] = {}
        self._count = count
        self._stop = threading.Event()
        self._failures = 0

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._running.values()]

    def start(self) -> None:
        """Start all of them; raises `ServerFailed` when one cannot serve, and ends the others."""
        try:
            for slot in range(self._count):
                self._running[slot] = self._one(slot)
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Replace whoever dies, until `stop` is asked for."""
        while not self._stop.wait(_LOOK_EVERY_SECONDS):
            for slot, server in list(self._running.items()):
                if server.process.poll() is not None:
                    self._replace(slot, server)

    def ask_to_stop(self) -> None:
        self._stop.set()

    def stop(self) -> None:
        """Ask all of them at once to finish, then wait for each."""
        self._stop.set()
        for server in self._running.values():
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGTERM)
        for server in self._running.values():
            server.stop()
        self._running = {}
        self._folder.cleanup()

    def _one(self, slot: int) -> ServerProcess:
        server = spawn_server(self._settings, msgspec.structs.replace(self._spec, slot=slot))
        try:
            server.load_seconds = server.wait_for("loaded", _READY_SECONDS)["seconds"]
            server.port = server.wait_for("listening", _READY_SECONDS)["port"]
        except BaseException:
            server.stop()
            raise
        return server

    def _replace(self, slot: int, dead: ServerProcess) -> None:
        logger.error(
            f"worker {dead.pid} ended with code {dead.process.returncode}: {dead.tail()[-300:]}",
            extra={"action": "workers:replace", "pid": dead.pid},
        )
        dead.stop()
        del self._running[slot]
        while not self._stop.wait(self._pause()):
            try:
                self._running[slot] = self._one(slot)
            except FieldhouseError as error:
                self._failures += 1
                logger.error(str(error), extra={"action": "workers:failed"})
                continue
            self._failures = 0
            return

    def _pause(self) -> float:
        return min(_LONGEST_PAUSE, 2.0**self._failures) if self._failures else 0.0


def replace_spec(spec: ServerSpec, sockets: Sequence[socket.socket], folder: Path) -> ServerSpec:
    """The spec of workers that listen on their parent's sockets and share `folder`."""
    held_out, metrics = folder / "held", folder / "metrics"
    held_out.mkdir()
    metrics.mkdir()
    return msgspec.structs.replace(
        spec,
        host=None,
        unix_socket=None,
        descriptors=tuple(one.fileno() for one in sockets),
        held_out=str(held_out),
        metrics=str(metrics),
    )


def serve_with_workers(
    settings: Settings, spec: ServerSpec, count: int, sockets: Sequence[socket.socket]
) -> None:
    """Serve until SIGTERM or Ctrl-C. In the main thread only."""
    workers = Workers(settings, spec, count, sockets)

    def end(number: int, frame: FrameType | None) -> None:
        workers.ask_to_stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        workers.start()
        workers.watch()
    finally:
        workers.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in sockets:
            name = one.getsockname()
            one.close()
            if isinstance(name, str):
                Path(name).unlink(missing_ok=True)
