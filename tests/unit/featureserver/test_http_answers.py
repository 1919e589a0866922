"""Answers over HTTP besides plain JSON: Arrow, gzip, Feast's own answers, headers, counts."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pyarrow as pa
import pytest

from featureserver.admission import Admission, ByWork, Overloaded
from featureserver.bootstrap import open_lookup
from featureserver.compression import wants_gzip
from featureserver.endpoints import Limits
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import put
from featureserver.usage import MOST_CALLERS, OTHERS, Usage, UsageFlush
from registry.kernel.errors import Unavailable
from registry.kernel.settings import Settings
from registry.testing import NOON, InMemoryRegistry, feature, published, view
from tests.unit.featureserver.asgi import app_over, call

PATH = "/get-online-features"
V = view(
    "v",
    [
        feature("rate", "float64", staleness="last"),
        feature("seen", "timestamp"),
        feature("name", "string"),
        feature("facts", "map"),
    ],
    {"id": "int64"},
    ttl_seconds=3600.0,
)
STATE = published(V, services={"all": ["v:rate", "v:seen", "v:name", "v:facts"]})
ROW = {"rate": 0.5, "seen": NOON, "name": "x", "facts": {"k": 1}}


@pytest.fixture
def store():
    made = InMemoryOnlineStore()
    put(made, V, {"id": 1}, ROW)
    put(made, V, {"id": 2}, ROW, NOON - timedelta(hours=2))
    put(made, V, {"id": 3}, {})
    return made


def ask(app, ids=(1, 2, 3, 4), **headers):
    body = {"feature_service": "all", "entities": {"id": list(ids)}}
    return call(app, "POST", PATH, json=body, headers=headers)


def test_arrow_has_types_statuses_and_event_times(store):
    answer = ask(app_over(STATE, store), accept="application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(answer.content).read_all()
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert table.column_names[:5] == ["id", "rate", "seen", "name", "facts"]
    assert table["rate"].to_pylist() == [0.5, 0.5, None, None]
    assert table["rate__status"].to_pylist() == [
        "PRESENT",
        "OUTSIDE_MAX_AGE",
        "NULL_VALUE",
        "NOT_FOUND",
    ]
    assert table["seen"].to_pylist() == [NOON, None, None, None]
    assert table["seen__event_timestamp"].to_pylist()[3] is None
    assert json.loads(table["facts"].to_pylist()[0]) == {"k": 1}


def test_a_caller_here_gets_gzip_when_it_names_gzip_alone(store):
    app = app_over(STATE, store)
    many = [1] * 200
    plain = ask(app, many, **{"accept-encoding": "identity"})
    packed = ask(app, many, **{"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content and "content-encoding" not in plain.headers
    assert "content-encoding" not in ask(app, many, **{"accept-encoding": "gzip, deflate"}).headers


@pytest.mark.parametrize(
    ("accepted", "local", "wanted"),
    [
        (b"gzip, deflate, br", False, True),
        (b"gzip, deflate, br", True, False),
        (b"gzip;q=0, br", False, False),
        (b"br", False, False),
        (b"identity, gzip", True, True),
    ],
)
def test_who_is_far_away_gets_gzip_when_it_can(accepted, local, wanted):
    assert wants_gzip(accepted, local) is wanted


def test_a_body_may_come_in_gzip_and_is_bounded_when_unpacked(store):
    app = app_over(STATE, store, limits=Limits(body_bytes=10_000))
    body = json.dumps({"feature_service": "all", "entities": {"id": [1]}}).encode()
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    def send(content, **more):
        return call(app, "POST", PATH, content=content, headers={**headers, **more}).status_code

    assert send(gzip.compress(body)) == 200
    assert send(gzip.compress(b" " * 10_000_000)) == 413
    assert send(gzip.compress(body)[:-9]) == 422
    assert send(body) == 422
    assert send(body, **{"content-encoding": "br"}) == 415


def test_clients_that_rely_on_feasts_own_answers_can_have_them(store):
    for app, headers in [
        (app_over(STATE, store), {"fieldhouse-feast-answers": "true"}),
        (app_over(STATE, store, limits=Limits(feast_answers=True)), {}),
    ]:
        column = ask(app, **headers).json()["results"][1]
        assert column["values"] == [0.5, 0.5, None, None]
        assert column["statuses"] == ["PRESENT"] * 4
    ours = ask(
        app_over(STATE, store, limits=Limits(feast_answers=True)),
        **{"fieldhouse-feast-answers": "false"},
    )
    assert ours.json()["results"][1]["statuses"][3] == "NOT_FOUND"


def test_a_request_id_is_echoed_or_made(store):
    app = app_over(STATE, store)
    assert ask(app, **{"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = {ask(app).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert ask(app, **{"x-request-id": "a" * 300}).headers["x-request-id"] != "a" * 300
    bad = call(app, "POST", PATH, content=b"{", headers={"x-request-id": "e"})
    assert bad.headers["x-request-id"] == "e"


def test_more_rows_than_the_server_takes_are_422(store):
    app = app_over(STATE, store, limits=Limits(rows=3))
    assert ask(app, [1] * 3).status_code == 200
    assert "too many" in json.loads(ask(app, [1] * 4).json())["message"]


def test_use_is_counted_by_feature_service_and_caller(store):
    registry = InMemoryRegistry(STATE)
    app = app_over(STATE, store)
    usage = app._parts.lookup.usage
    ask(app, [1, 2], **{"fieldhouse-caller": "checkout"})
    ask(app, [1], **{"fieldhouse-caller": "checkout"})
    ask(app, [1], **{"user-agent": "curl/8.1 (x)"})
    UsageFlush(usage, registry.usage).run(NOON)
    found = {(r.caller, r.service): (r.requests, r.rows) for r in registry.usage.all("v:rate@1")}
    assert found == {("checkout", "all"): (2, 3), ("curl/8.1", "all"): (1, 1)}


def test_what_the_registry_does_not_take_is_kept_for_the_next_time(store):
    class Book:
        up, taken = False, []

        def add(self, records):
            if not self.up:
                raise Unavailable("the registry does not answer")
            self.taken += records

    app, book = app_over(STATE, store), Book()
    flush = UsageFlush(app._parts.lookup.usage, book)
    ask(app, [1])
    flush.run(NOON)
    ask(app, [1, 2])
    book.up = True
    flush.run(NOON)
    flush.run(NOON)
    assert {(r.ref, r.requests, r.rows) for r in book.taken if r.ref == "v:rate@1"} == {
        ("v:rate@1", 2, 3)
    }
    assert len(book.taken) == 4


def test_ever_new_callers_are_counted_together(store):
    plan = app_over(STATE, store)._parts.lookup.plan("all")
    usage = Usage()
    for number in range(MOST_CALLERS + 5):
        usage.note(plan, f"c{number}", 1)
    found = {r.caller: r.requests for r in usage.drain(NOON) if r.ref == "v:rate@1"}
    assert found[OTHERS] == 5 and len(found) == MOST_CALLERS + 1


def test_a_lookup_that_would_wait_too_long_is_turned_away():
    admission = Admission(ByWork(0.1, most=50))
    for _ in range(200):
        admission.enter(monotonic())
        admission.leave(0.01)
    taken = 0
    with pytest.raises(Overloaded, match="more lookups"):
        for _ in range(100):
            admission.enter(monotonic())
            taken += 1
    assert 10 <= taken <= 13


def test_the_document_describes_every_route_with_examples(store):
    document = call(app_over(STATE, store), "GET", "/openapi.json").json()
    assert {PATH, "/push", "/health/ready", "/metrics"} <= set(document["paths"])
    described = document["paths"][PATH]["post"]
    assert set(described["requestBody"]["content"]["application/json"]["examples"]) == {
        "service",
        "references",
    }
    assert "429" in described["responses"]


def test_an_unknown_route_is_404_with_the_nearest(store):
    answer = call(app_over(STATE, store), "POST", "/get-online-feature")
    assert answer.status_code == 404
    assert "/get-online-features" in json.loads(answer.json())["message"]


def test_a_state_that_grew_old_is_said_in_health(store):
    state = {"gone": False}

    def reader():
        if state["gone"]:
            raise Unavailable("the registry does not answer")
        return STATE

    app = app_over(STATE, store)
    plans = app._parts.lookup.plans
    plans._reader, plans.refresh_seconds = reader, 0.0
    assert call(app, "GET", "/health/ready").json()["registry_silent_since"] is None
    state["gone"] = True
    found = call(app, "GET", "/health/ready")
    assert found.status_code == 200
    assert found.json()["registry_silent_since"].startswith("2013-10-01T1")
    assert "fieldhouse-registry-silent-since" in ask(app).headers


def test_a_service_of_a_newer_state_is_found_without_a_restart(store):
    registry = InMemoryRegistry(STATE)
    app = app_over(STATE, store)
    plans = app._parts.lookup.plans
    plans._reader, plans.refresh_seconds = registry.published, 0.0
    body = {"feature_service": "new", "entities": {"id": [1]}}
    assert call(app, "POST", PATH, json=body).status_code == 404
    services = {**STATE.services, "new": replace(STATE.services["all"], name="new")}
    registry.state = replace(STATE, number=STATE.number + 1, services=services)
    assert call(app, "POST", PATH, json=body).status_code == 200


def test_use_in_process_is_counted_when_the_lookup_is_closed(store, tmp_path):
    registry = InMemoryRegistry(STATE)
    opened = open_lookup(Settings(tmp_path, None, {}, {}), registry, store)
    opened.get("all", {"id": [1, 2]}, at=NOON)
    opened.close()
    (used,) = registry.usage.all("v:rate@1")
    assert (used.caller, used.service, used.rows) == ("(in process)", "all", 2)
