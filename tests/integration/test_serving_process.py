"""The model server as a process: both sockets, its settings, its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.process import ServerFailed, environment_of, running_server, spawn_server
from serving.spec import ServerSpec
from serving.store import bundle_folder
from serving.wire import Connection
from tests.model_room import AUTHOR, open_room, parts, settings_in, xgboost_model

BODY = b'{"features":{"distance":1,"delay":2.5,"wind":null,"load":0}}'


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path)


@pytest.fixture
def record(room, tmp_path):
    return room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)


def test_one_server_answers_on_tcp_and_on_a_unix_socket_and_drains(room, record, tmp_path):
    path = tmp_path / "models.sock"
    models = (("delay", record.version),)
    with running_server(room.settings, models=models, unix_socket=path, lookup=False) as server:
        assert path.stat().st_mode & 0o077 == 0
        answers = []
        for address in (str(path), ("127.0.0.1", server.port)):
            with Connection(address) as connection:
                answers.append(connection.request("POST", "/predict/delay", BODY))
        assert [answer.status for answer in answers] == [200, 200]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    assert not path.exists()
    logged = list((tmp_path / ".fieldhouse/predictions/delay").rglob("*.parquet"))
    assert len(logged) == 1


def test_a_server_ends_when_whoever_started_it_is_gone(room, record):
    spec = ServerSpec(str(room.settings.root), (("delay", record.version),), "127.0.0.1")
    server = spawn_server(room.settings, spec)
    try:
        server.wait_ready()
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(10) == 0
    finally:
        server.stop()


def test_a_bundle_that_cannot_be_loaded_is_said_in_the_servers_own_words(room, record):
    file = Path(room.stores.primary.url) / bundle_folder("delay", record.version) / "model.ubj"
    file.write_bytes(b"{")
    models = (("delay", record.version),)
    with (
        pytest.raises(ServerFailed, match="not what was packaged") as caught,
        running_server(room.settings, models=models),
    ):
        pass
    assert caught.value.failure == "Corrupt"


def test_a_child_sees_its_parents_settings_and_no_token(tmp_path):
    settings = settings_in(
        tmp_path,
        FIELDHOUSE_AUTH_TOKEN="secret",
        FIELDHOUSE_SERVING_SKOPS_TYPES="a.B,c.D",
        FIELDHOUSE_CLOCK_INSTANT="2013-10-01T12:00:00Z",
    )
    env = environment_of(settings)
    assert "FIELDHOUSE_AUTH_TOKEN" not in env
    assert env["FIELDHOUSE_SERVING_SKOPS_TYPES"] == "a.B,c.D"
    assert env["FIELDHOUSE_CLOCK_INSTANT"] == "2013-10-01T12:00:00Z"
    assert env["OMP_NUM_THREADS"] == "1"


def test_serving_a_booster_imports_no_feast_fastapi_pandas_or_sqlalchemy(room, record):
    code = (
        "import sys; from pathlib import Path\n"
        "from registry.kernel.settings import read_settings\n"
        "from serving.bootstrap import open_serving\n"
        "from serving.app import create_app\n"
        f"room = open_serving(read_settings(Path({str(room.settings.root)!r})), own_process=True)\n"
        f"predictor = room.predictor([('delay', {record.version!r})], log=False)\n"
        "create_app(predictor)\n"
        "predictor.predict('delay', dict(distance=1, delay=1, wind=1, load=1))\n"
        "bad = {'feast', 'fastapi', 'pydantic', 'sqlalchemy', 'duckdb', 'pandas', 'sklearn'}\n"
        "print(sorted(bad & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, check=True
    )
    assert found.stdout.strip() == "[]"
