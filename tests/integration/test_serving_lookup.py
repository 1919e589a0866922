"""The model room over the real feature server: Redis, materializer, warehouse, one clock."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from featureserver.bootstrap import open_lookup, open_materializer
from registry.ports import DatasetRecord
from registry.testing import NOON, InMemoryRegistry
from serving.bootstrap import open_serving
from serving.gate.policy import GatePolicy
from serving.gate.same import check_values
from serving.offline import heldout_of, sample_keys
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    REFS,
    SCORE,
    flights,
    looked_up_parts,
    settings_in,
    state,
    xgboost_model,
)
from training.bootstrap import open_training
from training.splits import GroupSplit, Splits

HALF_PAST = NOON + timedelta(minutes=30)
PLANES = [f"p{i}" for i in range(50)]


@pytest.fixture
def room(tmp_path: Path, empty_redis_url: str):
    """Fifty planes in the warehouse, materialized to Redis, and the room that looks them up."""
    rows = flights().rows[:50]
    columns = {name: pa.array(rows[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)}
    times = pa.array([NOON] * 50, pa.timestamp("us", tz="UTC"))
    (tmp_path / "warehouse_data").mkdir()
    pq.write_table(
        pa.table({"plane": PLANES, "event_timestamp": times, **columns}),
        tmp_path / "warehouse_data/stats.parquet",
    )
    settings = settings_in(tmp_path, FIELDHOUSE_CLOCK_INSTANT="2013-10-01T13:00:00Z")
    registry = InMemoryRegistry(state())
    registry.datasets.add(DatasetRecord("flights", "sha256:s", NOON, "a", 600, REFS, "here"))
    with redis.Redis.from_url(empty_redis_url) as client:
        open_materializer(settings, registry, client=client).run(actor="operator@example.com")
        yield open_serving(settings, registry, open_lookup(settings, registry, client))


def test_keys_alone_give_exactly_what_the_training_rows_give(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    predictor = room.predictor([("delay", record.version)], log=False)
    answer = predictor.predict("delay", {"plane": PLANES})
    assert answer.outputs["probability"].tolist() == xgboost_model().expected[:50].tolist()
    assert answer.oldest_age_seconds == 3600.0
    assert answer.missing == int(np.isnan(flights().rows[:50]).sum())


def test_what_a_model_looks_up_is_counted_as_the_models_use(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    predictor = room.predictor([("delay", record.version)], log=False)
    predictor.predict("delay", {"plane": PLANES[:1]})
    predictor.predict("delay", {"plane": PLANES[:3]})
    used = room.lookup.usage.drain(NOON)
    counts = {(one.caller, one.requests, one.rows) for one in used}
    assert (len(used), counts) == (len(REFS), {("model delay", 2, 4)})


def test_looked_up_values_equal_the_warehouses_as_the_gate_compares_them(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    manifest = room.bundle("delay", record.version).manifest
    sample = room.sample(manifest.signature, {"plane": [*PLANES[:20], "nobody"]})
    assert np.isnan(sample.values[-1]).all() and sample.values.shape == (21, 4)
    found = check_values(manifest, room.lookup, sample, GatePolicy())
    assert found.passed and found.numbers["values"] == 84


def test_a_training_set_gives_the_gate_its_rows_and_keys(room):
    """From a training set alone: held-out rows, a baseline, keys, and an offline sample."""
    training = open_training(room.settings, room.registry)
    spine = pa.table(
        {
            "plane": PLANES,
            "event_timestamp": pa.array([HALF_PAST] * 50, pa.timestamp("us", tz="UTC")),
            "late": [i % 2 for i in range(50)],
        }
    )
    parted = Splits(by_group=GroupSplit(column="plane", parts=(("train", 0.5), ("test", 0.5))))
    built = training.build("planes", spine, "flight_delay", label="late", splits=parted)
    signature = room.signature("flight_delay", [SCORE])
    heldout = heldout_of(built, "test", signature, baseline="wind")
    rows = dict(zip(PLANES, flights().rows[:50], strict=True))
    planes = built.split("test").to_arrow().column("plane").to_pylist()
    expected = np.array([rows[plane] for plane in planes])
    assert 0 < len(heldout.rows) < 50 and np.array_equal(heldout.rows, expected, equal_nan=True)
    assert np.array_equal(heldout.baseline, expected[:, 2], equal_nan=True)
    assert heldout.labels.tolist() == [PLANES.index(plane) % 2 for plane in planes]
    keys = sample_keys(built, signature, 7)
    assert len(set(keys["plane"])) == 7 and set(keys["plane"]) <= set(PLANES)
    trained = room.trained_on("planes")
    assert set(trained.features) == set(REFS) and trained.manifest_digest == built.digest
