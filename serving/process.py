"""A model server in a process of its own, seen from the parent: start, wait until ready, stop."""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

import msgspec

from registry import settings as registry_settings
from registry.kernel.errors import Unavailable
from registry.kernel.settings import Settings
from serving import settings as serving_settings
from serving.spec import THREAD_LIMITS, ServerSpec
from serving.wire import Address, Connection

_HERE = Path(__file__).resolve().parents[1]
_TAIL_BYTES = 2000
# The server acts on nobody's behalf: it gets no token.
_NOT_PASSED_ON = {registry_settings.TOKEN.env}


class ServerFailed(Unavailable):
    """The server process ended, or said why it cannot serve. `failure` is the error's class."""

    def __init__(self, asked: str, found: str, failure: str = "") -> None:
        super().__init__(asked, found)
        self.failure = failure


@dataclass
class ServerProcess:
    """A started server. `address` is where it listens: the Unix socket if it has one."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    spec: ServerSpec
    port: int | None = None
    load_seconds: float = 0.0
    _rest: bytes = field(default=b"", repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str | None:
        """The TCP address as `http://host:port`, None when it listens on a Unix socket only."""
        return f"http://{self.spec.host}:{self.port}" if self.port is not None else None

    @property
    def address(self) -> Address:
        if self.spec.unix_socket is not None:
            return self.spec.unix_socket
        return (self.spec.host or "127.0.0.1", self.port or 0)

    def wait_for(self, event: str, seconds: float) -> Mapping[str, Any]:
        """Read what the server says until it says `event`. Raises `ServerFailed`."""
        deadline = monotonic() + seconds
        while True:
            told = self._next_event(deadline, event)
            if told["event"] == "failed":
                self.process.wait(10)
                raise ServerFailed("the model server cannot serve", told["error"], told["kind"])
            if told["event"] == event:
                return told

    def _next_event(self, deadline: float, awaited: str) -> Mapping[str, Any]:
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            left = deadline - monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise ServerFailed(
                    f"the model server did not come to {awaited!r} in time", self.tail()
                )
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                code = self.process.wait(10)
                raise ServerFailed(f"the model server ended with code {code}", self.tail())
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        told: Mapping[str, Any] = msgspec.json.decode(line)
        return told

    def release(self) -> None:
        """Let a server that was started with `hold` go on and load."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until `/v2/health/ready` answers 200. Raises `ServerFailed`."""
        deadline = monotonic() + seconds
        self.load_seconds = self.wait_for("loaded", seconds)["seconds"]
        self.port = self.wait_for("listening", deadline - monotonic())["port"]
        while True:
            with contextlib.suppress(OSError), Connection(self.address, 5) as connection:
                if connection.request("GET", "/v2/health/ready").status == 200:
                    return
            if monotonic() > deadline:
                raise ServerFailed("the model server does not become ready", self.tail())
            sleep(0.01)

    def tail(self) -> str:
        """The last that the server wrote to stderr."""
        self.stderr.flush()
        size = os.fstat(self.stderr.fileno()).st_size
        return os.pread(self.stderr.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(
            errors="replace"
        )

    def stop(self, seconds: float = 15.0) -> None:
        """SIGTERM, wait for the drain, SIGKILL when it takes longer. Quiet when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a child reads the same settings as its parent, without tokens."""
    env = {**os.environ, **settings.environ}
    for setting in (*registry_settings.SETTINGS, *serving_settings.SETTINGS):
        value = settings.find(setting)
        if value.origin != "default":
            text = ",".join(value.value) if isinstance(value.value, list) else str(value.value)
            env[setting.env] = text
    env["PYTHONPATH"] = os.pathsep.join(p for p in (str(_HERE), env.get("PYTHONPATH", "")) if p)
    env.update({variable: env.get(variable, "1") for variable in THREAD_LIMITS})
    return {name: value for name, value in env.items() if name not in _NOT_PASSED_ON}


def spawn_server(settings: Settings, spec: ServerSpec) -> ServerProcess:
    """Start a server process; nothing has been waited for. `stop` it in any case."""
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ServerProcess.stop
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "serving.server", msgspec.json.encode(spec).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment_of(settings),
        cwd=settings.root,
        start_new_session=True,  # Ctrl-C reaches the parent, which stops it in good order
        pass_fds=spec.descriptors,
    )
    return ServerProcess(process, stderr, spec)


@contextlib.contextmanager
def running_server(
    settings: Settings,
    *,
    host: str | None = "127.0.0.1",
    port: int = 0,
    unix_socket: Path | None = None,
    models: tuple[tuple[str, str], ...] = (),
    lookup: bool = True,
    log: bool = True,
    ready_seconds: float = 60.0,
) -> Iterator[ServerProcess]:
    """A model server on TCP, a Unix socket or both, ready when the block starts, gone after it.

    Serves the registry's champions, or `models`, pairs of name and version. Raises `ServerFailed`
    (an `Unavailable`) with the server's own words when it cannot serve.
    """
    spec = ServerSpec(
        root=str(settings.root),
        models=models,
        host=host,
        port=port,
        unix_socket=str(unix_socket) if unix_socket else None,
        lookup=lookup,
        log=log,
    )
    server = spawn_server(settings, spec)
    try:
        server.wait_ready(ready_seconds)
        yield server
    finally:
        server.stop()
