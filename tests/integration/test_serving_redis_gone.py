"""The data plane over a real Redis that goes away and comes back."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featureserver.bootstrap import open_materializer
from featureserver.redis_server import embedded_redis
from registry.ports import DatasetRecord
from registry.testing import NOON, InMemoryRegistry
from serving.bootstrap import open_serving
from serving.hosting import open_data_plane
from tests.asgi import served
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    REFS,
    flights,
    looked_up_parts,
    settings_in,
    state,
    xgboost_model,
)  # fmt: skip

KEYS = {"entities": {"plane": ["p1"]}}
FEATURES = {"features": dict.fromkeys(COLUMNS, 1.0)}


@pytest.fixture
def redis_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("r")


@pytest.fixture
def app(tmp_path: Path, redis_folder: Path):
    """The data plane of a model whose features are in the Redis that runs in `redis_folder`."""
    rows = flights().rows[:50]
    columns = {name: pa.array(rows[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)}
    times = pa.array([NOON] * 50, pa.timestamp("us", tz="UTC"))
    planes = [f"p{i}" for i in range(50)]
    (tmp_path / "warehouse_data").mkdir()
    table = pa.table({"plane": planes, "event_timestamp": times, **columns})
    pq.write_table(table, tmp_path / "warehouse_data/stats.parquet")
    registry = InMemoryRegistry(state())
    registry.datasets.add(DatasetRecord("flights", "sha256:s", NOON, "a", 600, REFS, "here"))
    with embedded_redis(redis_folder) as url:
        settings = settings_in(
            tmp_path,
            FIELDHOUSE_CLOCK_INSTANT="2013-10-01T13:00:00Z",
            FIELDHOUSE_ONLINE_URL=url,
            FIELDHOUSE_ONLINE_TIMEOUT_SECONDS="1",
        )
        open_materializer(settings, registry).run(actor="operator@example.com")
        room = open_serving(settings, registry)
        record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    return open_data_plane(room, [("delay", record.version)])


def test_redis_gone_is_one_clear_error_and_its_return_is_noticed(app, redis_folder):
    with served(app) as client:
        with embedded_redis(redis_folder):
            answer = client.post("/predict/delay", json=KEYS).json()
            assert answer["outputs"]["probability"] == [float(xgboost_model().expected[1])]
            assert answer["oldest_feature_age_seconds"] == 3600.0
        begun = time.monotonic()
        gone = client.post("/predict/delay", json=KEYS)
        assert gone.status_code == 503 and "Redis" in gone.json()["error"]
        assert gone.headers["retry-after"] == "1" and time.monotonic() - begun < 3
        assert client.post("/predict/delay", json=FEATURES).status_code == 200
        with embedded_redis(redis_folder):
            for _ in range(100):
                back = client.post("/predict/delay", json=KEYS)
                if back.status_code == 200:
                    break
                time.sleep(0.05)
            assert back.json()["outputs"]["probability"] == answer["outputs"]["probability"]
