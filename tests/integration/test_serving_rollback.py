"""Promotion and rollback under load: the pointer moves, and no request fails."""

import threading
import time
from pathlib import Path

import msgspec
import pytest

from registry.bootstrap import open_registry
from registry.kernel.settings import read_settings
from serving.bootstrap import open_serving
from serving.gate.fast import run_load
from serving.process import running_server
from serving.wire import Connection, encode_request
from tests.model_room import COLUMNS, OPERATOR, parts, released, xgboost_model

RATE, SECONDS = 120, 4.0
PATH = "/v2/models/delay/infer"


def body():
    inputs = [{"name": n, "datatype": "FP64", "shape": [1], "data": [0.5]} for n in COLUMNS]
    return msgspec.json.encode({"inputs": inputs})


def answering(path: Path) -> str:
    with Connection(str(path)) as connection:
        reply = connection.request("POST", PATH, body())
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body)["model_version"]


def wait_for(path: Path, version: str) -> None:
    deadline = time.monotonic() + 20
    while answering(path) != version:
        assert time.monotonic() < deadline, f"{version} does not answer"
        time.sleep(0.02)


@pytest.fixture
def room(project: Path, monkeypatch):
    monkeypatch.setenv("FIELDHOUSE_SERVING_POLL_SECONDS", "0.1")
    (project / "fieldhouse.toml").write_text("")
    settings = read_settings(project)
    return open_serving(settings, open_registry(settings))


@pytest.mark.slow
def test_promoting_and_rolling_back_under_load_fails_no_request(room, project):
    first = released(room, parts(project, xgboost_model(8)))
    path = project / "models.sock"
    seen = []
    with running_server(room.settings, host=None, unix_socket=path, lookup=False, log=False):
        requests = [encode_request("POST", PATH, body())]
        results = []
        load = threading.Thread(
            target=lambda: results.append(run_load(str(path), requests, RATE, SECONDS))
        )
        load.start()
        for rounds in (9, 10):
            newer = released(room, parts(project, xgboost_model(rounds)))
            wait_for(path, newer.version)
            back = room.rollback("delay", OPERATOR, "slow")
            wait_for(path, first.version)
            seen.append((newer.version, back.version))
        load.join()
    assert [back for _, back in seen] == [first.version] * 2
    (result,) = results
    assert result.errors == []
    assert len(result.seconds) == int(RATE * SECONDS)
