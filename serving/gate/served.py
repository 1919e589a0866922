"""A bundle alone in a fresh server process, watched from here while it loads."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.kernel.settings import Settings
from serving.gate.client import ModelClient
from serving.gate.memory import Footprint, read_memory, reset_peak
from serving.process import ServerProcess, spawn_server
from serving.spec import ServerSpec
from serving.store import Bundle
from serving.wire import Connection

START_SECONDS = 90.0
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A served bundle that the gate looks at from outside."""

    server: ServerProcess
    bundle: Bundle
    footprint: Footprint

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        manifest = self.bundle.manifest
        with Connection(self.server.address) as connection:
            yield ModelClient(connection, manifest.name, manifest.version, manifest.signature)

    def outputs(self, rows: Floats) -> Floats:
        """The first output of every row, [n] or [n, w]."""
        with self.client() as client:
            return client.outputs(rows)


@contextmanager
def served(settings: Settings, bundle: Bundle, lookup: bool = False) -> Iterator[Candidate]:
    """The bundle alone in a fresh server on a Unix socket; raises `ServerFailed` when it cannot."""
    with _server(settings, [bundle], lookup) as (server, footprint):
        yield Candidate(server, bundle, footprint)


@contextmanager
def swapped(
    settings: Settings,
    incumbent: Bundle,
    candidate: Bundle,
    lookup: bool,
    environment: Mapping[str, str],
) -> Iterator[Candidate]:
    """The candidate loaded beside the incumbent in a server of its own, in that environment."""
    elsewhere = replace(settings, environ={**settings.environ, **environment})
    with _server(elsewhere, [incumbent, candidate], lookup) as (server, footprint):
        yield Candidate(server, candidate, footprint)


@contextmanager
def _server(
    settings: Settings, bundles: Sequence[Bundle], lookup: bool
) -> Iterator[tuple[ServerProcess, Footprint]]:
    folder = Path(tempfile.mkdtemp(prefix="fieldhouse-gate-"))
    spec = ServerSpec(
        root=str(settings.root),
        models=tuple((bundle.manifest.name, bundle.manifest.version) for bundle in bundles),
        unix_socket=str(folder / "candidate.sock"),
        lookup=lookup,
        log=False,
        hold=True,
    )
    server = spawn_server(settings, spec)
    try:
        yield server, _load_watched(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _load_watched(server: ServerProcess) -> Footprint:
    server.wait_for("imported", START_SECONDS)
    was_reset = reset_peak(server.pid)
    imported = read_memory(server.pid)
    server.release()
    server.wait_ready(START_SECONDS)
    return Footprint(imported, read_memory(server.pid), server.load_seconds, was_reset)
