"""Several server processes on the same sockets: one dies, the others answer, another comes."""

import os
import signal
import threading
import time

import pytest

from featureserver.listen import listen_tcp, listen_unix
from featureserver.supervisor import held
from registry.kernel.errors import Unavailable
from serving.app import PUBLISH_SECONDS
from serving.spec import ServerSpec
from serving.wire import Connection
from serving.workers import model_workers
from tests.model_room import AUTHOR, open_room, parts, xgboost_model

BODY = b'{"features":{"distance":1,"delay":2.5,"wind":null,"load":0}}'


@pytest.fixture
def running(tmp_path):
    """Two workers on TCP and a Unix socket, watched: gives (workers, addresses)."""
    room = open_room(tmp_path)
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    sockets = [listen_tcp("127.0.0.1", 0), listen_unix(tmp_path / "m.sock")]
    spec = ServerSpec(str(tmp_path), (("delay", record.version),), lookup=False)
    with held(sockets), model_workers(room.settings, spec, 2, sockets) as workers:
        workers.start()
        watching = threading.Thread(target=workers.watch)
        watching.start()
        yield workers, [("127.0.0.1", sockets[0].getsockname()[1]), str(tmp_path / "m.sock")]
        workers.ask_to_stop()
        watching.join(30)
        workers.stop()


def ask(address):
    with Connection(address, 10) as link:
        return link.request("POST", "/predict/delay", BODY).status


def test_a_worker_killed_under_load_costs_its_own_requests_and_is_replaced(running):
    workers, addresses = running
    before = set(workers.pids)
    assert len(before) == 2
    answered, broken = 0, 0
    victim = workers.pids[0]
    for turn in range(200):
        if turn == 50:
            os.kill(victim, signal.SIGKILL)
        try:
            assert ask(addresses[turn % 2]) == 200
            answered += 1
        except OSError:
            broken += 1
    # Every request got its answer, or a connection that broke; nothing hung, nothing was doubled.
    assert answered + broken == 200 and broken <= 5
    for _ in range(200):
        if len(workers.pids) == 2 and victim not in workers.pids:
            break
        time.sleep(0.05)
    assert len(set(workers.pids) - before) == 1
    assert ask(addresses[0]) == ask(addresses[1]) == 200


def test_metrics_are_those_of_all_workers_and_outlive_a_killed_one(running):
    workers, addresses = running
    for turn in range(40):
        assert ask(addresses[turn % 2]) == 200
    rows = 'fieldhouse_prediction_rows_total{model="delay"'
    assert wait_for_count(addresses, rows, 40)
    time.sleep(1.5 * PUBLISH_SECONDS)  # whoever answered may have been the one with counts untold
    os.kill(workers.pids[0], signal.SIGKILL)
    assert wait_for_count(addresses, rows, 40)


def wait_for_count(addresses, name, wanted):
    """Whether each of several connections is told this number, in the end."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            if {counted(addresses[turn % 2], name) for turn in range(6)} == {float(wanted)}:
                return True
        except OSError:
            pass
        time.sleep(0.2)
    return False


def counted(address, name):
    with Connection(address, 10) as link:
        text = link.request("GET", "/metrics").body.decode()
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if name in line)


def test_workers_that_cannot_serve_end_together(tmp_path):
    room = open_room(tmp_path)
    with listen_tcp("127.0.0.1", 0) as socket:
        spec = ServerSpec(str(tmp_path), (("delay", "0123456789ab"),), lookup=False)
        with model_workers(room.settings, spec, 2, [socket]) as workers:
            with pytest.raises(Unavailable):
                workers.start()
            assert workers.pids == []
