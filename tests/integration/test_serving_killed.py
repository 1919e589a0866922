"""kill -9 under load, over both kinds of socket: every request and every log row accounted for."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from featureserver.listen import listen_tcp
from registry.bootstrap import open_registry
from registry.kernel.settings import read_settings
from serving.bootstrap import open_serving
from serving.gate.memory import workers_of
from serving.wire import Connection
from tests.asking_load import TOLERANCE, Clients
from tests.model_room import flights, parts, released, xgboost_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENVIRON = {"FIELDHOUSE_SERVING_POLL_SECONDS": "0.2"}


@pytest.fixture
def room(project: Path):
    """A project whose SQL registry has a champion; gives its room."""
    (project / "fieldhouse.toml").write_text("")
    settings = read_settings(project)
    room = open_serving(settings, open_registry(settings))
    released(room, parts(project, xgboost_model()))
    return room


@pytest.fixture
def expected():
    """The framework's own answers to the rows that clients send."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(xgboost_model().data))
    return booster.predict(xgboost.DMatrix(np.nan_to_num(flights().rows)))


@pytest.fixture
def addresses(project):
    with listen_tcp("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    return [("127.0.0.1", port), str(project / "m.sock")] * 3


@contextmanager
def serving(project, addresses):
    """The command with two workers on the addresses, ready; whatever is left of it is killed."""
    words = ["serve", "models", "--workers", "2", "--port", str(addresses[0][1])]
    command = [sys.executable, "-m", "fieldhouse", *words, "--socket", addresses[1]]
    with (project / "server.txt").open("ab") as told:
        server = subprocess.Popen(command, cwd=project, env={**os.environ, **ENVIRON}, stderr=told)
    try:
        wait_ready(addresses)
        yield server
    finally:
        for pid in (*workers_of(server.pid), server.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait(20)


def wait_ready(addresses, seconds=120):
    end = time.monotonic() + seconds
    for address in addresses[:2]:
        while not ready(address):
            assert time.monotonic() < end, f"{address} does not become ready"
            time.sleep(0.05)


def ready(address):
    with suppress(OSError), Connection(address, 10) as link:
        return link.request("GET", "/v2/health/ready").status == 200
    return False


def model_workers(server):
    return [pid for pid in workers_of(server.pid) if b"serving.server" in words_of(pid)]


def words_of(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def wait_until(holds, seconds=150):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def logged(project):
    """Prediction ids of every segment, each read whole; with their outputs."""
    files = (project / ".fieldhouse/predictions/delay").rglob("*.parquet")
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return Counter(row["prediction_id"] for row in rows), {
        row["prediction_id"]: row["output:probability"] for row in rows
    }


def check_log(project, account, expected):
    """What was logged was sent, once, with the answer that it got."""
    times, outputs = logged(project)
    assert set(times) <= set(account.fate) and set(times.values()) <= {1}
    for name, value in outputs.items():
        row = int(name.rpartition("-")[2]) % len(expected)
        assert value == pytest.approx(float(expected[row]), abs=TOLERANCE), name
    return set(times)


def test_a_worker_killed_under_load_costs_what_it_held_and_nothing_else(
    room, project, addresses, expected
):
    with serving(project, addresses) as server:
        with Clients(addresses, expected, "one") as clients:
            for _ in range(2):
                before = model_workers(server)
                time.sleep(0.5)
                os.kill(before[0], signal.SIGKILL)
                wait_until(lambda: len(set(model_workers(server)) - {before[0]}) == 2)  # noqa: B023
                wait_ready(addresses)
            time.sleep(0.5)
        account = clients.account
        assert account.wrong == [] and set(account.counts) <= {"answered", "closed"}
        # A killed worker closes its connections: no more than one request on each is lost.
        assert account.counts["closed"] <= 2 * len(addresses) and len(account.answered) > 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    seen = check_log(project, account, expected)
    assert len(account.answered - seen) < len(
        account.answered
    )  # lost: what the dead held unwritten


@pytest.mark.parametrize("whom", ["everyone", "the supervisor"])
def test_a_server_killed_under_load_comes_back_on_the_same_socket_and_port(
    room, project, addresses, expected, whom
):
    """Workers whose supervisor is gone end too, so that a new one finds the port free."""
    with Clients(addresses, expected, "whole") as clients:
        fate = clients.account.fate
        with serving(project, addresses) as server:
            wait_until(lambda: len(clients.account.answered) > 200)
            everyone = [*workers_of(server.pid), server.pid]
            for pid in (server.pid, *everyone) if whom == "everyone" else (server.pid,):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.wait(20)
            wait_until(lambda: not any(alive(pid) for pid in everyone))
        before = clients.account.answered
        assert Path(addresses[1]).exists()  # nobody was left to take the socket away
        with serving(project, addresses) as server:
            wait_until(lambda: len(clients.account.answered - before) > 200)
            clients.__exit__()
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    account = clients.account
    assert account.wrong == [] and set(account.counts) <= {"answered", "closed"}
    assert account.counts["answered"] + account.counts["closed"] == len(fate)
    seen = check_log(project, account, expected)
    assert account.answered - before <= seen  # the second server ended in good order
    assert not Path(addresses[1]).exists()


def alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
