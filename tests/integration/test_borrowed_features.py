"""A feature of another namespace, from rows in Redis to lookups, training sets and models."""

import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost

from featureserver.bootstrap import open_lookup, open_materializer
from featureserver.redis_server import embedded_redis
from registry.bootstrap import open_registry
from registry.core.definitions import OnDemandView, Source
from registry.kernel.errors import NotFound, Refused
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, Principal
from registry.service.apply import apply
from registry.service.check import readers_of
from registry.service.propose import approve, propose
from registry.service.runtime import quarantine, release
from registry.testing import NOON
from serving.bootstrap import open_serving
from serving.signature import Output, signature_of_service
from tests.definitions import compiled, feature, service, view
from tests.model_room import COLUMNS, looked_up_parts, xgboost_model
from training.bootstrap import open_training

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
TWICE = OnDemandView(
    "scaled",
    "python",
    "twice",
    "def twice(inputs):\n    return {'twice': [2 * v for v in inputs['stats__wind']]}\n",
    (feature("twice"),),
    ("stats:wind",),
)
KEYS = {"carrier": ["p0", "p1"]}
MEASURED = {"wind": [3.0, 5.0], "delay": [1.0, -2.0], "distance": [0.5, 0.1], "load": [0.2, 2.0]}
REFRESH = 0.1


class Project:
    """One namespace's settings, registry, lookup and training over a shared registry and store."""

    def __init__(self, root: Path, url: str, namespace: str) -> None:
        table = {
            "project": {"namespace": namespace},
            "clock": {"instant": "2013-10-01T13:00:00Z"},
            "online": {"url": url, "refresh_seconds": REFRESH, "switch_grace_seconds": 0.0},
        }
        self.settings = Settings(root, None, table, {})
        self.registry = open_registry(self.settings)
        self.lookup = open_lookup(self.settings, self.registry)
        self.training = open_training(self.settings, self.registry, actor="ada")

    def land(self, made):
        digest = propose(self.registry.context, made, ADA).proposal.digest
        approve(self.registry.context, digest, BOB)
        apply(self.registry.context, digest, made, ADA)
        return self

    def values(self, asked, full=False):
        found = self.lookup.get(asked, KEYS, full_feature_names=full)
        return {column.name: column.values for column in found.columns}

    def close(self):
        self.lookup.close()
        self.registry.database.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(weather, fares): fares' service reads a stored and a computed feature of weather."""
    root = tmp_path_factory.mktemp("borrowed")
    (root / "warehouse_data").mkdir()
    times = pa.array([NOON] * 2, pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table({"carrier": KEYS["carrier"], "event_timestamp": times, **MEASURED}),
        root / "warehouse_data/stats.parquet",
    )
    source = Source("stats", "table", table="stats", timestamp_field="event_timestamp")
    measured = [feature(name, staleness="null") for name in MEASURED]
    stats = view(*measured, name="stats", source=source)
    reading = service("weather/stats:wind", "weather/scaled:twice", name="ticket")
    scoring = service(*(f"weather/stats:{name}" for name in COLUMNS), name="flight_delay")
    with embedded_redis(tmp_path_factory.mktemp("r")) as url:
        lender, borrower = Project(root, url, "weather"), Project(root, url, "fares")
        lender.land(compiled(stats, on_demand=(TWICE,), namespace="weather"))
        borrower.land(compiled(services=(reading, scoring), namespace="fares"))
        open_materializer(lender.settings, lender.registry).run(actor="ada")
        yield lender, borrower
        lender.close()
        borrower.close()


def soon(project, asked, expected):
    """The lookup's answer once its state is old enough to be asked for anew."""
    time.sleep(2 * REFRESH)
    assert project.values(asked) == expected


def test_a_service_answers_the_rows_that_the_lender_wrote(both):
    _, fares = both
    assert fares.values("ticket") == {"wind": [3.0, 5.0], "twice": [6.0, 10.0]}
    assert fares.values(["weather/stats:wind"], full=True) == {"weather__stats__wind": [3.0, 5.0]}


def test_the_borrower_materializes_and_pushes_nothing_of_the_lender(both):
    _, fares = both
    materializer = open_materializer(fares.settings, fares.registry)
    assert materializer.run(actor="ada").views == ()
    with pytest.raises(NotFound):
        materializer.run(["weather/stats"], actor="ada")
    assert materializer.purge() == ()


def test_a_training_set_holds_borrowed_features_and_is_seen_by_the_lender(both):
    weather, fares = both
    at = pa.array([NOON + timedelta(minutes=5)] * 2, pa.timestamp("us", tz="UTC"))
    spine = pa.table({"carrier": ["p1", "p0"], "event_timestamp": at})
    made = fares.training.build("tickets", spine, "ticket")
    assert made.to_arrow().select(["wind", "twice"]).to_pydict() == {
        "wind": [5.0, 3.0], "twice": [10.0, 6.0],
    }  # fmt: skip
    assert made.manifest.features[0].ref == "weather/stats:wind@1"
    assert fares.training.verify("tickets").ok
    with weather.registry.context.store.read() as transaction:
        seen = readers_of(transaction.state("weather"), transaction)["stats:wind@1"]
    assert "training set fares/tickets" in [str(reader) for reader in seen]


def test_a_models_signature_names_the_lender(both):
    _, fares = both
    score = Output("score", "FP32", (-1,))
    made = signature_of_service(fares.registry.published(), "ticket", (score,))
    assert made.refs == ("weather/stats:wind@1", "weather/scaled:twice@1")
    assert [key.name for key in made.inputs if key.kind == "entity"] == ["carrier"]
    assert fares.values(list(made.refs)) == {"wind": [3.0, 5.0], "twice": [6.0, 10.0]}


def test_a_model_is_served_through_borrowed_features_and_its_lender_sees_it(both, tmp_path):
    weather, fares = both
    refs = tuple(f"weather/stats:{name}@1" for name in COLUMNS)
    fares.registry.datasets.add(DatasetRecord("flights", "sha256:s", NOON, "ada", 9, refs, "here"))
    room = open_serving(fares.settings, fares.registry, fares.lookup)
    packaged = room.package(looked_up_parts(tmp_path, room), actor="ada")
    with closing(room.predictor([("delay", packaged.version)], log=False)) as predictor:
        answer = predictor.predict("delay", KEYS).outputs["probability"]
    rows = np.array([[MEASURED[name][n] for name in COLUMNS] for n in range(2)])
    booster = xgboost.Booster(model_file=bytearray(xgboost_model().data))
    assert answer.tolist() == booster.predict(xgboost.DMatrix(rows)).tolist()
    with weather.registry.context.store.read() as transaction:
        seen = readers_of(transaction.state("weather"), transaction)["stats:wind@1"]
    assert f"model fares/delay@{packaged.version}" in [str(reader) for reader in seen]


def test_a_quarantine_at_the_lender_reaches_lookups_and_builds_within_the_interval(both):
    weather, fares = both
    context = weather.registry.context
    quarantine(context, "weather", "stats:wind", BOB, "the anemometer is stuck")
    soon(fares, ["weather/stats:wind"], {"wind": [None, None]})
    at = pa.array([NOON + timedelta(minutes=5)], pa.timestamp("us", tz="UTC"))
    spine = pa.table({"carrier": ["p1"], "event_timestamp": at})
    with pytest.raises(Refused, match="weather/stats:wind@1 is quarantined"):
        fares.training.build("refused", spine, ["weather/stats:wind"])
    release(context, "weather", "stats:wind", BOB, "mended")
    soon(fares, ["weather/stats:wind"], {"wind": [3.0, 5.0]})


def test_a_rebuilt_generation_of_the_lender_is_read_by_the_borrower(both):
    weather, fares = both
    open_materializer(weather.settings, weather.registry).run(actor="ada", rebuild=True)
    assert fares.registry.published().view("weather/stats").generation == 2
    soon(fares, "ticket", {"wind": [3.0, 5.0], "twice": [6.0, 10.0]})
