"""One feature through its whole life, as the data plane sees it: a lookup server and a model server
over HTTP and builds of training sets, over a SQL registry, DuckDB and a real Redis."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from featureserver.bootstrap import open_lookup, open_materializer
from featureserver.hosting import host_app
from featureserver.listen import listen_tcp
from featureserver.redis_server import embedded_redis
from featureserver.server import address_of
from registry.bootstrap import open_registry
from registry.core.definitions import Source
from registry.core.rules.engine import Waiver
from registry.kernel.errors import FieldhouseError, Gone, Refused, Unavailable
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, Principal
from registry.service.apply import apply
from registry.service.propose import approve, propose
from registry.service.runtime import quarantine, release
from registry.testing import NOON
from serving.app import create_app
from serving.bootstrap import open_serving
from tests.definitions import compiled, feature, service, view
from tests.model_room import COLUMNS, REFS, flights, looked_up_parts
from training.bootstrap import open_training

pytestmark = pytest.mark.slow

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
REFRESH, MAX_AGE = 0.2, 3.0
BOUND = REFRESH + 1.0  # what a busy machine may add to the stated interval
PLANES = [f"p{i}" for i in range(50)]
WIND = "stats:wind"
LEAVING = {"state": "deprecated", "sunset": NOON + timedelta(days=9), "reason": "noisy"}


class World:
    """A project, its registry (which can be made silent), and everything that reads it."""

    def __init__(self, folder, url):
        table = {
            "project": {"namespace": "flights"},
            "clock": {"instant": "2013-10-01T13:00:00Z"},
            "online": {"url": url, "refresh_seconds": REFRESH, "max_state_age_seconds": MAX_AGE,
                       "switch_grace_seconds": 0.0},
        }  # fmt: skip
        self.folder, self.down = folder, False
        self.settings = Settings(folder, None, table, {})
        real = open_registry(self.settings)
        self.registry = replace(real, published=lambda: self._answer(real.published))
        self.lookup = open_lookup(self.settings, self.registry)
        self.training = open_training(self.settings, self.registry, actor="ada")
        self.builds = 0

    def _answer(self, read: Callable[[], object]):
        if self.down:
            raise Unavailable("the registry does not answer")
        return read()

    def land(self, served=COLUMNS, waivers=(), without=(), serving="production", **wind):
        """Propose, approve and apply the four features, with these facts of the wind, and the
        service in the state `serving`."""
        features = [
            feature(name, **({"default": 0.5, **wind} if name == "wind" else {}))
            for name in COLUMNS
            if name not in without
        ]
        source = Source("stats", "table", table="stats", timestamp_field="event_timestamp")
        made = compiled(
            view(*features, name="stats", source=source, ttl_seconds=None),
            services=(
                service(*(f"stats:{n}" for n in served), name="flight_delay", state=serving),
            ),
        )
        context = replace(self.registry.context, waivers=tuple(waivers))
        digest = propose(context, made, ADA).proposal.digest
        approve(context, digest, BOB)
        apply(context, digest, made, ADA)

    def materialize(self):
        report = open_materializer(self.settings, self.registry).run(actor="ada")
        assert not report.failed
        return report

    def build(self):
        """A training set of the wind at two rows: its values, or the error's class."""
        self.builds += 1
        at = pa.array([NOON + timedelta(minutes=5)] * 2, pa.timestamp("us", tz="UTC"))
        spine = pa.table({"carrier": ["p1", "p2"], "event_timestamp": at})
        try:
            made = self.training.build(f"set{self.builds}", spine, [WIND])
        except FieldhouseError as error:
            return type(error)
        return made.to_arrow()["wind"].to_pylist()

    def ask(self):
        """The wind of two planes over HTTP: (status, values or None, headers)."""
        body = {"features": [WIND], "entities": {"carrier": ["p1", "p2"]}}
        answer = httpx.post(f"{self.address}/get-online-features", json=body)
        values = answer.json()["results"][-1]["values"] if answer.status_code == 200 else None
        return answer.status_code, values, answer.headers

    def soon(self, status, values=None):
        """Wait for that answer, which must come within the stated bound; gives the headers."""
        started = time.monotonic()
        while True:
            found = self.ask()
            if found[:2] == (status, values):
                return found[2]
            assert time.monotonic() - started < BOUND, f"still {found[:2]}, not {(status, values)}"
            time.sleep(0.02)

    def predict(self):
        """The model server's answer for two planes by their keys over HTTP: (status, values or
        None)."""
        keys = {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["p1", "p2"]}
        answer = httpx.post(f"{self.models}/v2/models/delay/infer", json={"inputs": [keys]})
        values = answer.json()["outputs"][0]["data"] if answer.status_code == 200 else None
        return answer.status_code, values

    def predicts_soon(self, status, values=None):
        """Wait for that prediction, which must come within the stated bound."""
        started = time.monotonic()
        while (found := self.predict()) != (status, values):
            assert time.monotonic() - started < BOUND, f"still {found}, not {(status, values)}"
            time.sleep(0.02)

    def predicts_other(self, than):
        """Wait for a prediction that is another one."""
        started = time.monotonic()
        while (found := self.predict())[1] in (None, than):
            assert time.monotonic() - started < BOUND, f"still {found}"
            time.sleep(0.02)


@contextmanager
def served(app):
    sockets = [listen_tcp("127.0.0.1", 0)]
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", ws="none", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        yield address_of(sockets[0])
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def world(tmp_path, tmp_path_factory):
    rows = flights().rows[:50]
    columns = {name: pa.array(rows[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)}
    times = pa.array([NOON] * 50, pa.timestamp("us", tz="UTC"))
    (tmp_path / "warehouse_data").mkdir()
    table = pa.table({"carrier": PLANES, "event_timestamp": times, **columns})
    pq.write_table(table, tmp_path / "warehouse_data/stats.parquet")
    with embedded_redis(tmp_path_factory.mktemp("r")) as url:
        made = World(tmp_path, url)
        made.land(serving="draft", state="draft")
        made.materialize()
        record = DatasetRecord("flights", "sha256:s", NOON, "ada", 600, REFS, "here")
        made.registry.datasets.add(record)
        room = open_serving(made.settings, made.registry, made.lookup)
        packaged = room.package(looked_up_parts(tmp_path, room), actor="ada")
        predictor = room.predictor([("delay", packaged.version)], log=False)
        with (
            host_app(made.settings, made.registry) as app,
            served(app) as made.address,
            served(create_app(predictor, 1 << 20)) as made.models,
        ):
            yield made
        predictor.close()
        made.lookup.close()
        made.registry.database.close()


def evidence_of(world):
    with world.registry.context.store.read() as transaction:
        actions = [chained.event.action for chained in transaction.events(f"{WIND}@1")]
    return [action for action in actions if action.startswith("check:")]


def test_every_reader_obeys_the_state_of_a_feature_from_draft_to_retired(world):
    p1, p2 = (float(flights().rows[i, COLUMNS.index("wind")]) for i in (1, 2))
    values = [p1, p2]
    draft_is_for_training_alone(world, values)
    known = production_is_for_everybody(world, values)
    deprecated_is_served_with_notice(world, values, known)
    for policy, answered in (("last", values), ("default", [0.5, 0.5]), ("null", [None, None])):
        quarantined_answers_by_its_policy(world, values, known, policy, answered)
    quarantined_view_refuses(world, values, known)
    silent_registry_serves_the_last_state_for_a_while(world, values, known)
    retired_is_gone_by_a_waiver(world)
    purged_leaves_no_key(world)
    assert np.isfinite(known).all()


def draft_is_for_training_alone(world, values):
    """No service but a draft may read it, and no model that does answers."""
    assert world.build() == values
    assert world.ask()[0] == 409
    with pytest.raises(Refused, match="service-uses-draft"):
        world.land(state="draft")
    assert world.predict() == (409, None)


def production_is_for_everybody(world, values):
    """It took the stored result of a check, which `materialize` had made; gives the predictions."""
    assert evidence_of(world) == ["check:quality:passed"]
    world.land()
    world.materialize()
    world.soon(200, values)
    assert world.build() == values
    while world.predict()[0] != 200:
        time.sleep(0.02)
    known = world.predict()[1]
    assert len(known) == 2
    return known


def deprecated_is_served_with_notice(world, values, known):
    """Lookups and predictions say so and go on, new training sets are refused."""
    world.land(**LEAVING)
    deadline = time.monotonic() + BOUND
    while "deprecation" not in world.soon(200, values):
        assert time.monotonic() < deadline
    assert "2013" in world.ask()[2]["sunset"]
    assert world.build() is Refused
    assert world.predict() == (200, known)


def quarantined_answers_by_its_policy(world, values, known, policy, answered):
    """To lookups and models alike, and no training set; until it is released."""
    world.land(staleness=policy, **LEAVING)
    quarantine(world.registry.context, "flights", WIND, BOB, "the anemometer is stuck")
    world.soon(200, answered)
    assert world.build() is Refused
    if policy == "last":
        time.sleep(2 * REFRESH)
        assert world.predict() == (200, known)
    else:
        world.predicts_other(known)
    release(world.registry.context, "flights", WIND, BOB, "mended")
    world.soon(200, values)
    world.predicts_soon(200, known)


def quarantined_view_refuses(world, values, known):
    world.land(staleness="refuse", **LEAVING)
    quarantine(world.registry.context, "flights", "stats", BOB, "the station is down")
    world.soon(409)
    world.predicts_soon(409)
    assert world.build() is Refused
    release(world.registry.context, "flights", "stats", BOB, "mended")
    world.soon(200, values)
    world.predicts_soon(200, known)


def silent_registry_serves_the_last_state_for_a_while(world, values, known):
    """Up to its declared age, and then nothing."""
    world.down = True
    started = time.monotonic()
    assert world.ask()[:2] == (200, values)
    assert world.predict() == (200, known)
    while world.ask()[0] == 200:
        assert time.monotonic() - started < MAX_AGE + BOUND
        time.sleep(0.05)
    assert time.monotonic() - started > MAX_AGE - BOUND
    assert world.ask()[0] == 503
    world.predicts_soon(503)
    world.down = False
    world.soon(200, values)
    world.predicts_soon(200, known)


def retired_is_gone_by_a_waiver(world):
    """Though a model and a training set read it: that took a waiver and a consent."""
    left = {"served": ("distance", "delay", "load"), "without": ("wind",)}
    with pytest.raises(Refused, match="removed-while-read"):
        world.land(**left)
    waiver = Waiver("removed-while-read", f"{WIND}@1", "it lies", "bob", NOON + timedelta(days=30))
    world.land(**left, waivers=[waiver])
    world.soon(410)
    assert world.build() is Gone
    world.predicts_soon(410)


def purged_leaves_no_key(world):
    """A new generation without it, and no key of the old one is left."""
    report = world.materialize()
    assert [(p.view, p.generation, p.left) for p in report.purged][-1] == ("stats", 1, 0)
    (line,) = world.registry.published().views.values()
    assert "wind" not in dict(line.row_schema.columns)
