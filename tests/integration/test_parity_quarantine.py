"""Rows that are not the warehouse's: parity finds and quarantines them by its stored result, and
they are released only once it holds again. Over a SQL registry, DuckDB and a real Redis."""

from contextlib import closing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featureserver.bootstrap import open_lookup, open_materializer
from registry.bootstrap import open_registry
from registry.core.definitions import Source
from registry.kernel.errors import Refused
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.propose import approve, propose
from registry.service.runtime import release
from registry.testing import NOON
from tests.definitions import compiled, feature, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
REF = "stats:wind@1"


@pytest.fixture
def project(tmp_path, empty_redis_url):
    """(settings, registry) of one materialized view whose source will be rewritten."""
    table = {
        "project": {"namespace": "flights"},
        "clock": {"instant": "2013-10-01T13:00:00Z"},
        "online": {
            "url": empty_redis_url,
            "on_failed_quality": "quarantine",
            "switch_grace_seconds": 0.0,
        },
    }
    settings = Settings(tmp_path, None, table, {})
    registry = open_registry(settings)
    put(settings, [3.0, 5.0])
    source = Source("stats", "table", table="stats", timestamp_field="event_timestamp")
    made = compiled(view(feature("wind", staleness="null"), name="stats", source=source))
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    apply(registry.context, digest, made, ADA)
    open_materializer(settings, registry).run(actor="ci")
    yield settings, registry
    registry.database.close()


def put(settings, wind):
    """The source's whole history, which a rewrite of the past changes behind everybody's back."""
    times = pa.array([NOON] * 2, pa.timestamp("us", tz="UTC"))
    rows = pa.table({"carrier": ["p0", "p1"], "event_timestamp": times, "wind": wind})
    (settings.root / "warehouse_data").mkdir(exist_ok=True)
    pq.write_table(rows, settings.root / "warehouse_data/stats.parquet")


def actions(registry):
    with registry.context.store.read() as transaction:
        return [chained.event.action for chained in transaction.events(REF)]


def test_a_failed_parity_quarantines_and_a_release_waits_until_it_holds(project):
    settings, registry = project
    put(settings, [3.0, 50.0])
    (report,) = open_materializer(settings, registry).run(actor="ci").views
    assert (report.failed, report.differing) == (True, 1)
    assert "check:parity:failed" in actions(registry)
    assert registry.published().view("stats").features[0].state == "quarantined"
    with closing(open_lookup(settings, registry)) as lookup:
        (column,) = lookup.get(["stats:wind"], {"carrier": ["p1"]}).columns
        assert column.values == [None]
    with pytest.raises(Refused, match="fieldhouse parity stats"):
        release(registry.context, "flights", REF, BOB, "I think it is fine")
    open_materializer(settings, registry).run(actor="ci", rebuild=True)
    open_materializer(settings, registry).run(actor="ci")
    release(registry.context, "flights", REF, BOB, "rebuilt")
    assert registry.published().view("stats").features[0].state == "production"
