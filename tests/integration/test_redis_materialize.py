"""Materialization from Parquet by the real engine into a real Redis, and parity with it."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featureserver.asked import Policy
from featureserver.bootstrap import open_materializer
from featureserver.expiry import expire_seconds
from featureserver.keys import key_space
from featureserver.materialize import choose_views
from featureserver.parity import comparable, compare, sample_keys
from featureserver.testing import lookup_over, temporary_redis_store
from registry.core.definitions import Source
from registry.kernel.errors import Invalid, NotFound, Refused
from registry.kernel.settings import Settings
from registry.testing import NOON, InMemoryRegistry, feature, published, view
from warehouse.bootstrap import open_engine

SOURCE = Source(
    "stats", "table", table="stats", timestamp_field="event_timestamp", created_field="created"
)
STATS = view(
    "stats",
    [
        feature("rate", "float64"),
        feature("small", "float32"),
        feature("trips", "int64"),
        feature("name", "string"),
        feature("seen", "timestamp"),
        feature("tags", "list<string>"),
    ],
    {"driver": "string"},
    source=SOURCE,
    ttl_seconds=86400.0,
)


def history(driver, hours_ago, rate, created_hours_ago=None):
    event = NOON - timedelta(hours=hours_ago)
    created = event if created_hours_ago is None else NOON - timedelta(hours=created_hours_ago)
    return {
        "driver": driver,
        "rate": rate,
        "small": 0.1,
        "trips": 2**53 + 1 if rate else None,
        "name": f"{driver}}}~ é",
        "seen": event,
        "tags": [driver, "x"] if rate else None,
        "event_timestamp": event,
        "created": created,
    }


ROWS = [
    *(history(f"d{i}", 2, float(i)) for i in range(50)),
    *(history(f"d{i}", 5, -1.0) for i in range(50)),
    history("late", 30, 1.0),
    history("corrected", 2, 1.0),
    history("corrected", 2, 2.0, created_hours_ago=1),
    history("nan", 2, float("nan")),
    history("null", 2, None),
]


def write_table(root, rows):
    folder = root / "warehouse_data" / "stats"
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        {
            "driver": pa.string(),
            "rate": pa.float64(),
            "small": pa.float32(),
            "trips": pa.int64(),
            "name": pa.string(),
            "seen": pa.timestamp("us", tz="UTC"),
            "tags": pa.list_(pa.string()),
            "event_timestamp": pa.timestamp("us", tz="UTC"),
            "created": pa.timestamp("us", tz="UTC"),
        }
    )
    file = folder / f"part{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema), file)


@pytest.fixture(scope="module")
def redis_store():
    with temporary_redis_store() as made:
        yield made


@pytest.fixture
def store(redis_store):
    redis_store._client.flushall()
    return redis_store


@pytest.fixture
def registry():
    return InMemoryRegistry(published(STATS, services={"all": ["stats:rate", "stats:name"]}))


@pytest.fixture
def settings(tmp_path):
    write_table(tmp_path, ROWS)
    return Settings(tmp_path, None, {"clock": {"instant": "2013-10-01T12:00:00Z"}}, {})


def rates(store, *drivers):
    found = lookup_over(published(STATS), store).get(["stats:rate"], {"driver": list(drivers)})
    return found.columns[0].values


def test_a_run_writes_the_newest_row_of_every_entity_and_its_watermark(settings, registry, store):
    report = open_materializer(settings, registry, client=store).run(actor="ada")
    assert [(v.view, v.rows, v.written) for v in report.views] == [("stats", 54, 54)]
    assert rates(store, "d3", "corrected", "late") == [3.0, 2.0, None]
    mark = registry.watermarks.read("stats", 1)
    assert (mark.until, mark.rows) == (NOON, 54)


def test_a_second_run_reads_only_what_came_since_and_loses_no_late_row(settings, registry, store):
    before = NOON - timedelta(hours=1)
    open_materializer(settings, registry, client=store).run(until=before, actor="ada")
    write_table(settings.root, [history("d1", 0.5, 9.0), history("late", 1.5, 5.0)])
    report = open_materializer(settings, registry, client=store).run(actor="ada")
    assert report.views[0].since == before - timedelta(hours=1)
    assert (report.views[0].rows, report.views[0].written) == (3, 2)  # the correction comes again
    assert rates(store, "d1", "late", "corrected") == [9.0, 5.0, 2.0]


def test_an_explicit_span_that_leaves_a_gap_does_not_move_the_watermark(settings, registry, store):
    materializer = open_materializer(settings, registry, client=store)
    materializer.run(since=NOON - timedelta(hours=3), actor="ada")
    assert registry.watermarks.read("stats", 1) is None
    materializer.run(until=NOON - timedelta(hours=4), actor="ada")
    materializer.run(since=NOON - timedelta(hours=3), actor="ada")
    assert registry.watermarks.read("stats", 1).until == NOON - timedelta(hours=4)


def test_online_values_equal_the_offline_join(settings, registry, store):
    open_materializer(settings, registry, client=store).run(actor="ada")
    engine = open_engine(settings)
    keys = sample_keys(engine, STATS, NOON, 40) | {}
    keys["driver"] += ["nobody", "late", "nan", "null", "corrected"]
    report = compare(lookup_over(published(STATS), store), engine, [STATS], {"stats": keys}, NOON)
    assert (report.compared, report.differing) == (45 * 6, 0)
    assert report.views[0].present > 200


def test_parity_names_what_differs(settings, registry, store):
    open_materializer(settings, registry, client=store).run(actor="ada")
    (key,) = key_space(STATS).keys({"driver": ["d5"]})
    store.write([key], [store.read([key])[0][:10]], rewrite=True)
    report = compare(
        lookup_over(published(STATS), store),
        open_engine(settings),
        [STATS],
        {"stats": {"driver": ["d4", "d5"]}},
        NOON,
    )
    assert report.differing == 6
    example = report.views[0].examples[0]
    assert (example.feature, example.status) == ("rate", "INVALID")
    assert example.entity == {"driver": "d5"}
    assert (example.online, example.offline) == (None, 5.0)


def test_nan_equals_nan_and_types_are_told_apart():
    assert comparable(float("nan")) == comparable(float("nan"))
    assert comparable(1) != comparable(1.0)
    assert comparable(True) != comparable(1)
    assert comparable([float("nan"), None]) == comparable([float("nan"), None])


def test_views_are_chosen_by_name_and_spans_are_checked(settings, registry, store):
    materializer = open_materializer(settings, registry, client=store)
    with pytest.raises(NotFound, match="nearest: stats"):
        materializer.run(["stat"], actor="ada")
    with pytest.raises(Invalid, match="empty"):
        materializer.run(since=NOON, until=NOON, actor="ada")
    with pytest.raises(Invalid, match="future"):
        materializer.run(until=NOON + timedelta(days=1), actor="ada")
    with pytest.raises(Refused, match="not online"):
        choose_views(published(replace(STATS, online=False)), ["stats"])


def test_a_view_fed_by_pushes_alone_is_left_out_with_a_note(settings, store):
    pushed = replace(STATS, source=Source("p", "push"))
    registry = InMemoryRegistry(published(pushed))
    (report,) = open_materializer(settings, registry, client=store).run(actor="ada").views
    assert report.rows == 0
    assert "pushed" in report.note


def test_rows_expire_only_where_no_policy_needs_them():
    assert Policy().retention_seconds == 0.0
    assert expire_seconds(STATS, 60.0) == 86460.0
    assert expire_seconds(STATS, 0.0) is None
    assert expire_seconds(replace(STATS, ttl_seconds=None), 60.0) is None
    last = replace(STATS, features=(feature("rate", staleness="last"),))
    assert expire_seconds(last, 60.0) is None
