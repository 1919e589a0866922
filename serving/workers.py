"""The model server's worker processes: what `serve models --workers N` starts."""

import contextlib
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from featureserver.supervisor import Pauses, Supervisor, held
from registry.kernel.settings import Settings
from serving.process import ServerProcess, spawn_server
from serving.spec import ServerSpec

PAUSES = Pauses(2.0, 30.0)
_READY_SECONDS = 300.0
_TAIL = 300


@dataclass(frozen=True, slots=True)
class ModelWorker:
    """One model server on the parent's sockets; see `featureserver.supervisor.Worker`."""

    server: ServerProcess

    @property
    def pid(self) -> int:
        return self.server.pid

    def ended(self) -> int | None:
        return self.server.process.poll()

    def ask_to_end(self) -> None:
        if self.ended() is None:
            self.server.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        self.server.stop()

    def last_words(self) -> str:
        return self.server.tail()[-_TAIL:]


@contextlib.contextmanager
def model_workers(
    settings: Settings, spec: ServerSpec, count: int, sockets: Sequence[socket.socket]
) -> Iterator[Supervisor]:
    """`count` processes of one spec on the same sockets, not started yet. They load one at a time,
    so that their peaks do not add up; starting them raises `ServerFailed` when one cannot serve."""
    with tempfile.TemporaryDirectory(prefix="fh-workers-") as folder:
        shared = shared_spec(spec, sockets, Path(folder))

        def start(slot: int) -> ModelWorker:
            server = spawn_server(settings, msgspec.structs.replace(shared, slot=slot))
            try:
                server.load_seconds = server.wait_for("loaded", _READY_SECONDS)["seconds"]
                server.port = server.wait_for("listening", _READY_SECONDS)["port"]
            except BaseException:
                server.stop()
                raise
            return ModelWorker(server)

        yield Supervisor(start, count, PAUSES)


def shared_spec(spec: ServerSpec, sockets: Sequence[socket.socket], folder: Path) -> ServerSpec:
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
    with held(sockets), model_workers(settings, spec, count, sockets) as workers:
        workers.run()
