"""Feast's own materialize, push and lookups over our rows, in a real Redis."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import feast.types as ft
import pandas as pd
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig
from feast.data_source import PushMode
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.value_type import ValueType

from featureserver.feast_plugin.proto_values import codec
from featureserver.rows import pack_wire, unpack
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import put, temporary_redis
from fieldhouse.feast_online import FieldhouseOnlineStore
from registry.adapters.feast_types import feature_type
from registry.core.published import RowSchema
from registry.kernel.errors import Invalid
from registry.testing import InMemoryRegistry, feature, published, view

NOW = datetime(2013, 10, 1, 12, tzinfo=UTC)
DRIVER = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
SCHEMA = [
    Field(name="driver_id", dtype=ft.Int64),
    Field(name="rate", dtype=ft.Float64),
    Field(name="vector", dtype=ft.Array(ft.Float32)),
    Field(name="name", dtype=ft.String),
]


@pytest.fixture(scope="module")
def url():
    with temporary_redis() as found:
        yield found


@pytest.fixture
def project(tmp_path, url):
    """A Feast project of its own over the Redis; the view's definition, and a maker of stores."""
    pd.DataFrame(
        {
            "driver_id": [1, 2, 2],
            "rate": [0.5, 0.1, 0.2],
            "vector": [[1.0, 2.5], [], [3.0]],
            "name": ["a}", None, "c"],
            "event_timestamp": [NOW, NOW - timedelta(hours=2), NOW - timedelta(hours=1)],
        }
    ).to_parquet(tmp_path / "stats.parquet")
    batch = FileSource(path=str(tmp_path / "stats.parquet"), timestamp_field="event_timestamp")
    source = PushSource(name="stats_push", batch_source=batch)
    name = f"p{uuid.uuid4().hex[:8]}"

    def store():
        return FeatureStore(
            config=RepoConfig(
                project=name,
                provider="local",
                registry=str(tmp_path / "registry.db"),
                online_store={
                    "type": "fieldhouse.feast_online.FieldhouseOnlineStore",
                    "url": url,
                },
                offline_store={"type": "dask"},
                entity_key_serialization_version=3,
            )
        )

    def view(*more, schema=SCHEMA):
        fields = [*schema, *more]
        return FeatureView(name="stats", entities=[DRIVER], schema=fields, source=source)

    return store, view


def rates(store, *drivers):
    rows = [{"driver_id": driver} for driver in drivers]
    return store.get_online_features(["stats:rate", "stats:vector", "stats:name"], rows).to_dict()


def pushed(driver, rate, at):
    return pd.DataFrame(
        {
            "driver_id": [driver],
            "rate": [rate],
            "vector": [[9.0]],
            "name": ["p"],
            "event_timestamp": [at],
        }
    )


def test_feasts_materialize_push_and_lookup_work_on_our_rows(project):
    store, view = project[0](), project[1]()
    store.apply([DRIVER, view])
    store.materialize(NOW - timedelta(days=1), NOW + timedelta(hours=1))
    assert rates(store, 1, 2, 3) == {
        "driver_id": [1, 2, 3],
        "rate": [0.5, 0.2, None],
        "vector": [[1.0, 2.5], [3.0], None],
        "name": ["a}", "c", None],
    }
    store.push("stats_push", pushed(2, 0.9, NOW), to=PushMode.ONLINE)
    store.push("stats_push", pushed(1, 0.1, NOW - timedelta(hours=3)), to=PushMode.ONLINE)
    assert rates(store, 1, 2)["rate"] == [0.5, 0.9]  # newest wins
    store.materialize(NOW - timedelta(days=1), NOW + timedelta(hours=1))
    assert rates(store, 2)["rate"] == [0.9]


def test_lookups_and_writes_work_from_an_event_loop(project):
    store, view = project[0](), project[1]()
    store.apply([DRIVER, view])

    async def both():
        await store.push_async("stats_push", pushed(7, 0.7, NOW), to=PushMode.ONLINE)
        found = await store.get_online_features_async(["stats:rate"], [{"driver_id": 7}])
        return found.to_dict()

    assert asyncio.run(both()) == {"driver_id": [7], "rate": [0.7]}


def test_a_changed_view_reads_rows_of_before_also_where_another_process_changed_it(project):
    make, view = project
    old = make()
    old.apply([DRIVER, view()])
    old.push("stats_push", pushed(1, 0.5, NOW), to=PushMode.ONLINE)
    assert rates(old, 1)["rate"] == [0.5]
    new = make()
    new.apply([DRIVER, view(Field(name="added", dtype=ft.Int64))])
    assert new.get_online_features(["stats:added", "stats:rate"], [{"driver_id": 1}]).to_dict() == {
        "driver_id": [1],
        "added": [None],
        "rate": [0.5],
    }
    new.push("stats_push", pushed(2, 0.6, NOW).assign(added=[5]), to=PushMode.ONLINE)
    assert rates(old, 1, 2)["rate"] == [0.5, 0.6]


def test_a_view_that_is_applied_away_takes_its_rows_along(project):
    store, view = project[0](), project[1]()
    store.apply([DRIVER, view])
    store.push("stats_push", pushed(1, 0.5, NOW), to=PushMode.ONLINE)
    store.apply([DRIVER], objects_to_delete=[view], partial=False)
    online = store._get_provider().online_store._open(store.config).store
    assert online.generations(store.project) == {}
    store.apply([DRIVER, project[1]()])
    assert rates(store, 1)["rate"] == [None]


def test_a_store_without_a_redis_says_what_is_missing(project):
    store, view = project[0](), project[1]()
    bare = store.config.online_store.model_copy(update={"url": ""})
    config = store.config.model_copy()
    config._online_store = bare
    with pytest.raises(Invalid, match="names no Redis"):
        FieldhouseOnlineStore().online_read(config, view, [])


SAMPLES = {
    "Bytes": b"\x00}",
    "PdfBytes": b"%PDF",
    "ImageBytes": b"\x89PNG",
    "String": "é}",
    "Bool": True,
    "Int32": -(2**31),
    "Int64": 2**63 - 1,
    "Float32": 0.1,
    "Float64": 0.1,
    "UnixTimestamp": NOW,
    "Map": {"a": 1, "b": "x"},
    "ScalarMap": {7: 1.5, -1: 2.5},
    "Json": '{"a": [1, 2]}',
    "Uuid": uuid.UUID(int=7),
    "TimeUuid": uuid.UUID("f7f93674-e819-11f1-9d0c-02fc00000001"),
    "Decimal": Decimal("-1.5"),
    "ZonedTimestamp": NOW,
}
SCALARS = [t for t in ft.PrimitiveFeastType if t is not ft.Invalid]
NAMES = {getattr(ft, name): name for name in SAMPLES}
COLLECTED = [t for t in SCALARS if NAMES[t] not in ("ScalarMap", "ZonedTimestamp")]
IN_SETS = [t for t in COLLECTED if NAMES[t] not in ("Map", "Json", "PdfBytes", "ImageBytes")]


def every_type():
    """Each type that Feast declares, with a value of it."""
    for kind in SCALARS:
        yield kind, SAMPLES[NAMES[kind]]
    for kind in COLLECTED:
        if NAMES[kind] not in ("PdfBytes", "ImageBytes"):
            yield ft.Array(kind), [SAMPLES[NAMES[kind]]] * 2
    for kind in IN_SETS:
        yield ft.Set(kind), {SAMPLES[NAMES[kind]]}
    yield ft.Struct({"a": ft.Int64}), {"a": 1}
    yield ft.Array(ft.Struct({"a": ft.Int64})), [{"a": 1}, {"a": 2}]
    yield ft.Array(ft.Array(ft.Float32)), [[0.5, 1.5], []]
    yield ft.Array(ft.Array(ft.Array(ft.Int64))), [[[1], [2, 3]], []]
    yield ft.Set(ft.Array(ft.Int64)), [[1, 2], [3]]


def test_every_scalar_type_that_feast_declares_has_a_sample_here():
    assert {NAMES[kind] for kind in SCALARS} == set(SAMPLES)


@pytest.mark.parametrize(("kind", "value"), list(every_type()), ids=lambda v: str(v)[:40])
def test_every_feast_type_comes_back_as_it_went(kind, value):
    value_type = kind.to_value_type()
    (before,) = python_values_to_proto_values([value], value_type)
    dtype = feature_type(kind)
    schema = RowSchema(1, (("f", dtype), ("empty", dtype)))
    made = codec(dtype, value_type)
    raw = pack_wire(schema, {"f": made.wire(before), "empty": made.wire(Value())}, 0)
    wire = unpack({1: schema}, raw).wire
    after = made.proto(wire["f"])
    read = feast_value_type_to_python_type
    assert read(after, value_type) == read(before, value_type)
    assert after.WhichOneof("val") == before.WhichOneof("val")
    assert made.proto(wire["empty"]).WhichOneof("val") is None


def test_a_governed_project_gives_feast_the_rows_of_its_registry(tmp_path, url, monkeypatch):
    """What we materialized is read by Feast, from the generation that is live, and not deleted."""
    made = view("stats", [feature("rate"), feature("name", "string")], {"driver_id": "int64"})
    live = replace(made, generation=3, namespace="governed")
    registry = InMemoryRegistry(published(live))
    monkeypatch.setattr("registry.bootstrap.open_registry", lambda settings: registry)
    online = RedisOnlineStore(connect(url, 5.0))
    put(online, live, {"driver_id": 1}, {"rate": 0.25, "name": "ours"})
    entity = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    fields = [SCHEMA[0], SCHEMA[1], SCHEMA[3]]
    source = FileSource(path=str(tmp_path / "x.parquet"), timestamp_field="event_timestamp")
    theirs = FeatureView(name="stats", entities=[entity], schema=fields, source=source)
    theirs.entity_columns = [SCHEMA[0]]
    config = RepoConfig(
        project="governed",
        provider="local",
        registry=str(tmp_path / "registry.db"),
        online_store={
            "type": "fieldhouse.feast_online.FieldhouseOnlineStore",
            "url": url,
            "project_root": str(tmp_path),
        },
        offline_store={"type": "dask"},
        entity_key_serialization_version=3,
    )
    store = FieldhouseOnlineStore()
    key = EntityKey(join_keys=["driver_id"], entity_values=[Value(int64_val=1)])
    ((at, values),) = store.online_read(config, theirs, [key], ["rate", "name"])
    assert (at, values["rate"].double_val, values["name"].string_val) == (NOW, 0.25, "ours")
    later = NOW + timedelta(hours=1)
    row = (key, {"rate": Value(double_val=0.5), "name": Value(string_val="f")}, later, None)
    store.online_write_batch(config, theirs, [row], None)
    assert online.count_generation("governed", "stats", 3) == 1
    store.update(config, [theirs], [], [], [], partial=False)
    ((_, values),) = store.online_read(config, theirs, [key], ["rate"])
    assert values["rate"].double_val == 0.5
    store.teardown(config, [theirs], [])
    assert online.count_generation("governed", "stats", 3) == 1
    online.close()
