"""The shipped feature server for tests: the command itself, in a project with a real registry."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from bench.load import Connection, connect, request
from featureserver.redis_server import find_redis_server
from registry.adapters.sql.database import open_database
from registry.adapters.sql.states import save_published
from registry.core.published import Published

CONFIG = """
[project]
namespace = "test"
[clock]
instant = "2013-10-01T12:00:00Z"
[online]
url = "{url}"
timeout_seconds = {timeout}
refresh_seconds = 0.1
max_state_age_seconds = {max_age}
[features]
usage_seconds = 0.2
{more}
"""


def write_project(
    folder: Path,
    state: Published,
    url: str,
    *,
    timeout: float = 0.5,
    max_age: float = 60.0,
    more: str = "",
) -> Path:
    """A project whose registry has published `state` and whose Redis is at `url`."""
    text = CONFIG.format(url=url, timeout=timeout, max_age=max_age, more=more)
    (folder / "fieldhouse.toml").write_text(text)
    (folder / "feature_repo").mkdir()
    publish(folder, state)
    return folder


def publish(folder: Path, state: Published) -> None:
    """Publish a state in the project's registry, as an apply would."""
    from registry.kernel.settings import read_settings
    from registry.settings import registry_url

    database = open_database(registry_url(read_settings(folder, {})))
    with database.write() as connection:
        named = {"name": state.namespace}
        known = sa.text("SELECT 1 FROM namespace WHERE name = :name")
        if connection.execute(known, named).first() is None:
            insert = sa.text("INSERT INTO namespace (name, number) VALUES (:name, 0)")
            connection.execute(insert, named)
        save_published(connection, state)
    database.close()


def issue_token(folder: Path, role: str) -> str:
    """A token of ours, issued in the project's registry."""
    from registry.adapters.sql import tokens
    from registry.kernel.settings import read_settings
    from registry.ports import Principal
    from registry.settings import registry_url
    from registry.testing import NOON

    database = open_database(registry_url(read_settings(folder, {})))
    with database.write() as connection:
        principal = Principal("robot", frozenset({role}), bot=True)
        token = tokens.issue_token(connection, principal, NOON, None)
    database.close()
    return token


@dataclass
class Served:
    """A running server: its address, and its processes."""

    address: str
    process: subprocess.Popen[str]
    folder: Path

    @property
    def workers(self) -> list[int]:
        children = psutil.Process(self.process.pid).children()
        return [child.pid for child in children if "featureserver.worker" in child.cmdline()]

    def look_up(self, body: Any, timeout: float = 10.0, **headers: str) -> httpx.Response:
        address = f"{self.address}/get-online-features"
        return httpx.post(address, json=body, timeout=timeout, headers=headers)


@contextmanager
def served(folder: Path, workers: int = 2, *words: str) -> Iterator[Served]:
    """`fieldhouse serve features` in a project, up and ready; ended at the end."""
    command = [sys.executable, "-m", "fieldhouse", "serve", "features", "--port", "0"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--workers", str(workers), *words],
            cwd=folder,
            stderr=log,
            env={**environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            text=True,
        )
    try:
        yield Served(_address(folder, process), process, folder)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        if process.poll() is None:
            process.kill()


def _address(folder: Path, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = (folder / "server.log").read_text()
        line = next((one for one in said.splitlines() if one.startswith("features on http")), None)
        if process.poll() is not None:
            raise AssertionError(f"the server ended: {said}")
        if line is not None:
            address = line.removeprefix("features on ").strip()
            with suppress(httpx.TransportError):
                if httpx.get(f"{address}/health/live", timeout=2).status_code == 200:
                    return address
        time.sleep(0.05)
    raise AssertionError(f"the server did not come up: {(folder / 'server.log').read_text()}")


@dataclass
class Answers:
    """Every answer of a run: (seconds, status, body), status 0 for a connection that broke."""

    all: list[tuple[float, int, bytes]] = field(default_factory=list)

    def count(self, status: int) -> int:
        return sum(1 for _, found, _ in self.all if found == status)

    @property
    def statuses(self) -> set[int]:
        return {status for _, status, _ in self.all}

    def slowest(self, status: int | None = None) -> float:
        return max(took for took, found, _ in self.all if status in (None, found))


async def hammer(
    address: str, body: Any, seconds: float, connections: int = 4, pause: float = 0.0
) -> Answers:
    """Ask over kept connections, each again when it has its answer, and count every answer."""
    whole = request(address, "/get-online-features", json.dumps(body).encode())
    answers, end = Answers(), time.perf_counter() + seconds

    async def run() -> None:
        link: Connection | None = None
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                link = link or await connect(address)
                status, found = await link.ask(whole), link.body
            except OSError:
                link, status, found = None, 0, b""
            answers.all.append((time.perf_counter() - started, status, found))
            if pause or not status:
                await asyncio.sleep(pause or 0.01)
        if link is not None:
            link.close()

    await asyncio.gather(*(run() for _ in range(connections)))
    return answers


@dataclass
class OwnRedis:
    """A redis-server on a TCP port that can be stopped, started, hung and filled."""

    folder: Path
    port: int = 0
    options: list[str] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self, *more: str) -> None:
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        command = [str(find_redis_server()), "--port", str(self.port), "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no", *more], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def hang(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """A running redis-server of the test's own."""
    made = OwnRedis(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
