"""The feature server as clients meet it: real uvicorn, real Redis, Feast's HTTP contract."""

import importlib.util
import json
import re
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from featureserver.app import Parts, create_app
from featureserver.bootstrap import open_materializer
from featureserver.endpoints import Limits
from featureserver.listen import listen_tcp, listen_unix
from featureserver.lookup import Lookup
from featureserver.plans import compile_transform
from featureserver.push import Pusher
from featureserver.redis_server import embedded_redis, socket_path
from featureserver.server import address_of
from featureserver.state import PlanBook
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.stores.redis_wire import RedisReader
from featureserver.testing import put, temporary_redis
from registry.core.definitions import Source
from registry.core.published import RetiredFeature
from registry.kernel.clock import FixedClock
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.testing import NOON, InMemoryRegistry, feature, published, view

OPERATOR = {"authorization": "Bearer op"}
STATS = view(
    "stats",
    [
        feature("rate", "float64"),
        feature("small", "float32"),
        feature("trips", "int64"),
        feature("seen", "timestamp"),
        feature("raw", "bytes"),
        feature("tags", "list<string>"),
        feature("facts", "map"),
    ],
    {"driver": "string"},
    ttl_seconds=3600.0,
    source=Source("stats_push", "push"),
)
BATCH = view("batch", [feature("total", "int64")], {"driver": "string"})
OLD = view(
    "old",
    [
        feature("leaving", state="deprecated", sunset=datetime(2014, 1, 1, tzinfo=UTC)),
        feature("draft", state="draft"),
        feature("rate", "float64"),
        feature("strict", staleness="refuse"),
    ],
    {"driver": "string"},
    ttl_seconds=3600.0,
)
STATE = replace(
    published(STATS, BATCH, OLD, services={"drivers": ["stats:trips", "stats:rate"]}),
    retired=(RetiredFeature("old", "gone", 1, "stats:rate"),),
)
ROW = {
    "rate": 0.5,
    "small": 0.1,
    "trips": 7,
    "seen": NOON,
    "raw": b"\x00\xff",
    "tags": ["a", None],
    "facts": {"k": [1, 2]},
}


@pytest.fixture(scope="module")
def redis_url():
    with temporary_redis() as url:
        yield url


@pytest.fixture(scope="module")
def store(redis_url):
    made = RedisOnlineStore(connect(redis_url, 5.0))
    put(made, STATS, {"driver": "a"}, ROW)
    put(made, STATS, {"driver": "nan"}, {**ROW, "rate": float("nan"), "small": float("-inf")})
    put(made, STATS, {"driver": "null"}, {}, NOON + timedelta(milliseconds=5))
    put(made, STATS, {"driver": "stale"}, ROW, NOON - timedelta(hours=2))
    put(made, OLD, {"driver": "a"}, {"leaving": 1.0, "strict": 1.0}, NOON - timedelta(hours=2))
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry():
    operator = Principal("robot@example.com", frozenset({"operator"}), bot=True)
    author = Principal("ann@example.com", frozenset({"author"}))
    return InMemoryRegistry(STATE, {"op": operator, "author": author})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("project")
    data = made / "warehouse_data"
    data.mkdir()
    table = {"driver": ["a"], "total": [40], "event_timestamp": [NOON - timedelta(hours=1)]}
    pq.write_table(pa.table(table), data / "batch.parquet")
    return made


def parts_over(store, url, published_now, **more):
    reader = RedisReader(url, 5.0)
    plans = PlanBook(published_now, compile_transform, refresh_seconds=0.05)
    refused = {"materializer": lambda: None, "authority": lambda token, *roles: None}
    return Parts(
        lookup=Lookup(plans, store, FixedClock(NOON), reader),
        reader=reader,
        pusher=lambda: Pusher(published_now, store),
        limits=Limits(body_bytes=100_000),
        **{**refused, **more},
    )


@contextmanager
def running(app, *more):
    sockets = [listen_tcp("127.0.0.1", 0), *more]
    config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        yield sockets
    finally:
        server.should_exit = True
        thread.join()
        for one in sockets:
            one.close()


def client_of(sockets):
    return httpx.Client(base_url=address_of(sockets[0]), timeout=10)


@pytest.fixture(scope="module")
def server(redis_url, store, registry, folder):
    settings = Settings(folder, None, {"clock": {"instant": "2013-10-01T12:00:00Z"}}, {})
    parts = parts_over(
        store,
        redis_url,
        registry.published,
        materializer=lambda: open_materializer(settings, registry, client=store),
        authority=registry.authority,
    )
    with running(create_app(parts), listen_unix(folder / "f.sock")) as sockets:
        yield sockets


@pytest.fixture
def client(server):
    with client_of(server) as made:
        yield made


@pytest.fixture
def short_folder():
    with tempfile.TemporaryDirectory(prefix="fh-") as made:
        yield Path(made)


def look_up(client, features, drivers, **more):
    body = {"features": features, "entities": {"driver": drivers}, **more}
    return client.post("/get-online-features", json=body)


def feast_error(response):
    """What Feast's own client would raise for an answer, without importing Feast."""
    content = json.loads(response.json())
    assert content["module"] == "feast.errors"
    return content["class"], content["message"]


def test_a_lookup_by_references_has_feasts_shape_and_the_order_asked_for(client):
    response = look_up(client, ["stats:trips", "stats:rate"], ["a", "nobody"])
    assert response.status_code == 200
    epoch, noon = "1970-01-01T00:00:00Z", "2013-10-01T12:00:00Z"
    found = ["PRESENT", "NOT_FOUND"]
    assert response.json() == {
        "results": [
            {
                "values": ["a", "nobody"],
                "statuses": ["PRESENT", "PRESENT"],
                "event_timestamps": [epoch, epoch],
            },
            {"values": [7, None], "statuses": found, "event_timestamps": [noon, epoch]},
            {"values": [0.5, None], "statuses": found, "event_timestamps": [noon, epoch]},
        ],
        "metadata": {"feature_names": ["driver", "trips", "rate"]},
    }


def test_a_feature_service_full_names_and_view_metadata(client):
    body = {
        "feature_service": "drivers",
        "entities": {"driver": ["a"]},
        "full_feature_names": True,
        "include_feature_view_version_metadata": True,
        "something_else": 1,
    }
    found = client.post("/get-online-features", json=body).json()
    assert found["metadata"]["feature_names"] == ["driver", "stats__trips", "stats__rate"]
    assert found["metadata"]["feature_view_metadata"] == [{"name": "stats", "version": 1}]


def test_every_type_is_told_as_feast_tells_it(client):
    refs = [f"stats:{f.name}" for f in STATS.features]
    results = look_up(client, refs, ["a"]).json()["results"][1:]
    small = 0.10000000149011612
    seconds = int(NOON.timestamp())
    told = [0.5, small, 7, seconds, "AP8=", ["a", None], {"k": [1, 2]}]
    assert [r["values"][0] for r in results] == told


def test_nan_and_infinity_are_strings_and_null_has_its_status(client):
    found = look_up(client, ["stats:rate", "stats:small"], ["nan", "null", "a"]).json()["results"]
    assert found[1]["values"] == ["NaN", None, 0.5]
    assert found[2]["values"][0] == "-Infinity"
    assert found[1]["statuses"] == ["PRESENT", "NULL_VALUE", "PRESENT"]
    assert found[1]["event_timestamps"][1] == "2013-10-01T12:00:00.005Z"


def test_a_value_past_its_ttl_is_outside_max_age(client):
    found = look_up(client, ["stats:trips"], ["stale"]).json()["results"][1]
    assert found["statuses"] == ["OUTSIDE_MAX_AGE"]
    assert found["values"] == [None]
    assert found["event_timestamps"] == ["2013-10-01T10:00:00Z"]


def test_many_entities_are_answered_in_order(client):
    drivers = [f"x{i}" if i % 3 else "a" for i in range(1000)]
    found = look_up(client, ["stats:trips"], drivers).json()["results"]
    assert found[0]["values"] == drivers
    assert found[1]["values"] == [None if i % 3 else 7 for i in range(1000)]


def test_a_unix_socket_answers_the_same(server, client):
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=address_of(server[1]).removeprefix("unix:"))
    ) as unix:
        body = {"features": ["stats:trips"], "entities": {"driver": ["a"]}}
        over_unix = unix.post("http://unix/get-online-features", json=body)
    assert over_unix.json() == look_up(client, ["stats:trips"], ["a"]).json()


def test_deprecated_features_bring_headers(client):
    response = look_up(client, ["old:leaving"], ["nobody"])
    assert response.headers["deprecation"] == f"@{int(NOON.timestamp())}"
    assert response.headers["sunset"] == "Wed, 01 Jan 2014 00:00:00 GMT"
    assert response.headers["fieldhouse-deprecated"] == "old:leaving"
    assert "deprecation" not in look_up(client, ["stats:rate"], ["a"]).headers


@pytest.mark.parametrize(
    ("body", "status", "name", "words"),
    [
        ({"feature_service": "drvers"}, 404, "FeatureServiceNotFoundException", "drivers"),
        ({"features": ["stat:rate"]}, 404, "FeatureViewNotFoundException", "nearest: stats"),
        ({"features": ["stats:rte"]}, 404, "FeastObjectNotFoundException", "stats:rate"),
        ({"features": ["old:gone"]}, 410, "FeastObjectNotFoundException", "use stats:rate"),
        ({"features": ["old:draft"]}, 409, "FeastError", "draft"),
        ({"features": ["old:strict"]}, 409, "FeastError", "stale"),
        ({"features": ["rate"]}, 422, "FeastError", "not a feature reference"),
        ({"features": []}, 422, "FeastError", "no features"),
        ({"features": ["stats:rate", "old:rate"]}, 422, "FeatureNameCollisionError", "full"),
        ({"features": ["stats:rate"], "entities": {}}, 422, "FeastError", "lack driver"),
        ({"features": ["stats:rate"], "entities": {"drver": ["a"]}}, 422, "FeastError", "driver"),
        ({"features": ["stats:rate"], "entities": {"driver": [1]}}, 422, "FeastError", "string"),
        ({"features": ["stats:rate"], "entities": {"driver": "a"}}, 422, "FeastError", "array"),
        ({"features": ["stats:rate"], "entities": {"driver": [[]]}}, 422, "FeastError", "string"),
        ({"features": "stats:rate"}, 422, "FeastError", "array"),
    ],
)
def test_what_a_caller_did_wrong_is_4xx_in_feasts_format(client, body, status, name, words):
    response = client.post("/get-online-features", json={"entities": {"driver": ["a"]}, **body})
    assert response.status_code == status
    found, message = feast_error(response)
    assert found == name
    assert words in message


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"not json", {}, 422),
        (b"", {}, 422),
        (b"[" * 50_000, {}, 422),
        (b'{"entities": {"driver": [NaN]}}', {}, 422),
        (b'{"entities": {"driver": ["\xff"]}}', {}, 422),
        (b'{"entities": {"driver": [1e999]}, "features": ["stats:rate"]}', {}, 422),
        (b'{"entities": {"driver": [123456789012345678901234567890]}}', {}, 422),
        (b" " * 100_001, {}, 413),
        (b"a=b", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_broken_bodies_are_4xx_in_feasts_format(client, content, headers, status):
    response = client.post("/get-online-features", content=content, headers=headers)
    assert response.status_code == status
    assert feast_error(response)[0] == "FeastError"


def test_a_body_without_a_length_is_cut_off_when_it_is_too_long(client):
    def parts():
        for _ in range(200):
            yield b" " * 1000

    response = client.post("/get-online-features", content=parts())
    assert response.status_code == 413


def test_another_method_is_405(client):
    response = client.get("/get-online-features")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_every_class_that_errors_name_exists_in_feast():
    from featureserver import http_errors

    names = {name for *_, name in http_errors._BY_CLASS}
    names |= {name for _, name in http_errors._NOT_FOUND.values()}
    folder = importlib.util.find_spec("feast").submodule_search_locations[0]
    known = re.findall(r"^class (\w+)\(", (Path(folder) / "errors.py").read_text(), re.MULTILINE)
    assert names <= set(known)


def test_a_push_needs_an_operators_token_and_is_seen_at_once(client):
    frame = {name: [value] for name, value in ROW.items()}
    frame |= {"seen": [NOON.isoformat()], "raw": ["AA=="], "trips": [99]}
    frame |= {"driver": ["pushed"], "event_timestamp": ["2013-10-01T11:30:00"]}
    body = {"push_source_name": "stats_push", "df": frame}
    for headers, status in (({}, 401), ({"authorization": "Bearer author"}, 403)):
        refused = client.post("/push", json=body, headers=headers)
        assert refused.status_code == status
        assert feast_error(refused)[0] == "FeastPermissionError"
    done = client.post("/push", json=body, headers=OPERATOR)
    assert (done.status_code, done.content) == (200, b"")
    found = look_up(client, ["stats:trips"], ["pushed"]).json()["results"][1]
    assert (found["values"], found["event_timestamps"]) == ([99], ["2013-10-01T11:30:00Z"])


def test_a_push_to_an_unknown_source_is_feasts_422(client):
    body = {"push_source_name": "nope", "df": {"driver": ["a"]}}
    response = client.post("/push", json=body, headers=OPERATOR)
    assert response.status_code == 422
    assert feast_error(response)[0] == "PushSourceNotFoundException"


def test_writing_to_the_online_store_answers_null(client):
    frame = {"driver": ["w"], "total": [5], "event_timestamp": ["2013-10-01T11:00:00"]}
    body = {"feature_view_name": "batch", "df": {**frame, "created": [None]}}
    done = client.post("/write-to-online-store", json=body, headers=OPERATOR)
    assert (done.status_code, done.json()) == (200, None)
    assert look_up(client, ["batch:total"], ["w"]).json()["results"][1]["values"] == [5]


def test_materialize_answers_null_and_fills_the_store(client):
    body = {"end_ts": "2099-01-01T00:00:00", "feature_views": ["batch"]}
    assert client.post("/materialize-incremental", json=body).status_code == 401
    done = client.post("/materialize-incremental", json=body, headers=OPERATOR)
    assert (done.status_code, done.json()) == (200, None)
    assert look_up(client, ["batch:total"], ["a"]).json()["results"][1]["values"] == [40]
    span = {**body, "start_ts": "2013-10-01T00:00:00"}
    later = client.post("/materialize?async=true", json=span, headers=OPERATOR)
    assert later.status_code == 202
    assert later.json() == {"status": "accepted", "feature_views": ["batch"]}


def test_bad_bodies_of_other_routes_are_told_in_feasts_format(client):
    response = client.post("/push", json={"df": 1}, headers=OPERATOR)
    assert response.status_code == 422
    assert "push_source_name: Field required" in feast_error(response)[1]


def test_health_is_200_and_empty(client):
    for route in ("/health", "/health/live"):
        response = client.get(route)
        assert (response.status_code, response.content) == (200, b"")
    assert client.get("/health/ready").json()["ready"] is True


def test_metrics_tell_of_lookups_by_stage(client):
    look_up(client, ["stats:trips"], ["a"])
    text = client.get("/metrics").text
    assert 'fieldhouse_lookup_seconds_count{stage="store"}' in text
    assert 'fieldhouse_lookup_requests_total{service="ad hoc",status="200"}' in text
    assert "fieldhouse_published_number 1.0" in text


def test_openapi_describes_every_route(client):
    paths = client.get("/openapi.json").json()["paths"]
    for route in ("/get-online-features", "/push", "/write-to-online-store", "/materialize"):
        assert "post" in paths[route]
    assert client.get("/docs").status_code == 200


def test_a_redis_that_is_away_is_503_and_its_return_needs_no_restart(short_folder):
    url = f"unix://{socket_path(short_folder)}"
    away = RedisOnlineStore(connect(url, 0.5))
    parts = parts_over(away, url, lambda: STATE)
    with running(create_app(parts)) as sockets, client_of(sockets) as client:
        refused = look_up(client, ["stats:trips"], ["a"])
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "Redis" in feast_error(refused)[1]
        assert client.get("/health").status_code == 503
        with embedded_redis(short_folder, keep=False):
            put(away, STATS, {"driver": "a"}, ROW)
            assert look_up(client, ["stats:trips"], ["a"]).json()["results"][1]["values"] == [7]
            assert client.get("/health").status_code == 200
        assert look_up(client, ["stats:trips"], ["a"]).status_code == 503
