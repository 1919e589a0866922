"""Feast's own SDK and remote online store, from the wheel, against the shipped server."""

import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import put
from registry.adapters.sql import tokens
from registry.adapters.sql.database import open_database
from registry.core.definitions import Source
from registry.core.published import RetiredFeature
from registry.kernel.settings import read_settings
from registry.ports import Principal
from registry.settings import registry_url
from registry.testing import NOON, feature, published, view
from tests.feature_server import own_redis, served, write_project

pytestmark = pytest.mark.slow

STATS = view(
    "driver_stats",
    [
        feature("rate", "float64"),
        feature("small", "float32"),
        feature("trips", "int64"),
        feature("name", "string"),
        feature("good", "bool"),
        feature("tags", "list<string>"),
    ],
    {"driver_id": "int64"},
    ttl_seconds=3600.0,
    source=Source("driver_push", "push"),
)
PAIR = view("pair", [feature("load", "float64")], {"driver_id": "int64", "city": "string"})
STATE = replace(
    published(
        STATS,
        PAIR,
        services={"drivers": ["driver_stats:trips", "driver_stats:rate", "pair:load"]},
    ),
    retired=(RetiredFeature("driver_stats", "gone", 1, "driver_stats:rate"),),
)
ROW = {"rate": 0.5, "small": 0.25, "trips": 7, "name": "Ann", "good": True, "tags": ["a", "b"]}


@contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with tempfile.TemporaryDirectory(prefix="fh-") as place, own_redis(Path(place)) as redis:
        write_project(folder, STATE, redis.url)
        store = RedisOnlineStore(connect(redis.url, 5.0))
        put(store, STATS, {"driver_id": 1}, ROW)
        put(store, PAIR, {"driver_id": 1, "city": "Rome"}, {"load": 2.5})
        store.close()
        with served(folder, 2) as running:
            yield running


@pytest.fixture(scope="module")
def operators_token(server):
    """A token of ours, issued in the server's own registry."""
    database = open_database(registry_url(read_settings(server.folder, {})))
    with database.write() as connection:
        operator = Principal("robot", frozenset({"operator"}), bot=True)
        token = tokens.issue_token(connection, operator, NOON, None)
    database.close()
    return token


@pytest.fixture(scope="module")
def feast_store(server, operators_token, tmp_path_factory):
    """A Feast repository of the same views, whose online store is our server."""
    folder = tmp_path_factory.mktemp("feast")
    with quiet():
        from feast import (
            Entity,
            FeatureService,
            FeatureStore,
            FeatureView,
            Field,
            FileSource,
            RepoConfig,
            ValueType,
        )
        from feast.types import Array, Bool, Float32, Float64, Int64, String

        types = {"rate": Float64, "small": Float32, "trips": Int64, "name": String, "good": Bool}
        driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
        city = Entity(name="city", join_keys=["city"], value_type=ValueType.STRING)
        source = FileSource(path=str(folder / "none.parquet"), timestamp_field="event_timestamp")
        fields = [Field(name=name, dtype=kind) for name, kind in types.items()]
        stats = FeatureView(
            name="driver_stats",
            entities=[driver],
            schema=[
                *fields,
                Field(name="tags", dtype=Array(String)),
                Field(name="driver_id", dtype=Int64),
            ],
            source=source,
            ttl=timedelta(hours=1),
        )
        pair = FeatureView(
            name="pair",
            entities=[driver, city],
            schema=[
                Field(name="load", dtype=Float64),
                Field(name="driver_id", dtype=Int64),
                Field(name="city", dtype=String),
            ],
            source=source,
        )
        service = FeatureService(
            name="drivers", features=[stats[["trips", "rate"]], pair[["load"]]]
        )
        config = RepoConfig(
            project="test",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "remote", "path": server.address},
            auth={"type": "oidc", "token": operators_token},
            entity_key_serialization_version=3,
        )
        store = FeatureStore(config=config)
        store.registry.apply_entity(driver, "test")
        store.registry.apply_entity(city, "test")
        store.registry.apply_feature_view(stats, "test")
        store.registry.apply_feature_view(pair, "test")
        store.registry.apply_feature_service(service, "test")
        store.refresh_registry()
    return store


def test_feature_references_give_our_values_by_name(feast_store):
    names = list(ROW)
    with quiet():
        found = feast_store.get_online_features(
            [f"driver_stats:{name}" for name in names], [{"driver_id": 1}, {"driver_id": 2}]
        ).to_dict()
    assert found["driver_id"] == [1, 2]
    assert {name: found[name] for name in names} == {n: [ROW[n], None] for n in names}


def test_a_feature_service_of_two_entities_and_full_names(feast_store):
    rows = [{"driver_id": 1, "city": "Rome"}, {"driver_id": 1, "city": "Oslo"}]
    with quiet():
        service = feast_store.get_feature_service("drivers")
        found = feast_store.get_online_features(service, rows, full_feature_names=True).to_dict()
    assert found["driver_stats__trips"] == [7, 7]
    assert found["pair__load"] == [2.5, None]


def test_the_clients_frame_and_arrow_forms_work(feast_store):
    with quiet():
        answer = feast_store.get_online_features(["driver_stats:trips"], [{"driver_id": 1}])
        frame, table = answer.to_df(), answer.to_arrow()
    assert frame["trips"].tolist() == [7] and table["trips"].to_pylist() == [7]


def test_what_is_unknown_or_retired_raises_feasts_own_classes(server):
    with quiet():
        from feast.errors import FeastError, FeatureViewNotFoundException

        for ref, wanted in [
            ("nobody:x", FeatureViewNotFoundException),
            ("driver_stats:gone", None),
        ]:
            body = {"features": [ref], "entities": {"driver_id": [1]}}
            answer = server.look_up(body)
            raised = FeastError.from_error_detail(answer.json())
            assert isinstance(raised, wanted or Exception)
            assert answer.status_code in (404, 410)


def test_feasts_client_raises_what_we_refuse(feast_store):
    with quiet():
        from feast.errors import FeastError
        from feast.infra.online_stores.remote import get_remote_online_features

        body = {"features": ["driver_stats:trips"], "entities": {"driver": [1], "rider": [1]}}
        with pytest.raises(FeastError, match="rider, which no feature asked for needs"):
            get_remote_online_features(feast_store.config, body)


def test_feasts_client_writes_with_a_token_of_ours(server, feast_store):
    import pandas as pd

    rows = {**{name: [value] for name, value in ROW.items()}, "driver_id": [5], "trips": [99]}
    frame = pd.DataFrame({**rows, "event_timestamp": [NOON], "created": [NOON]})
    with quiet():
        feast_store.write_to_online_store("driver_stats", frame)
        found = feast_store.get_online_features(["driver_stats:trips"], [{"driver_id": 5}])
    assert found.to_dict()["trips"] == [99]
