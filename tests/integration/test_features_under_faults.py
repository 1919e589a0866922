"""The shipped server with two workers over HTTP, while its Redis and its registry are in trouble.

Every answer is counted. The deadline of an answer is the timeout of Redis and what a busy machine
adds to it.
"""

import asyncio
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import redis

from bench.load import once, request
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import put
from registry.adapters.sql.database import open_database
from registry.adapters.sql.usage import SqlUsage
from registry.core.definitions import Source
from registry.core.published import RetiredFeature
from registry.testing import feature, published, view
from tests.feature_server import (
    hammer,
    issue_token,
    own_redis,
    publish,
    served,
    write_project,
)

AT = "2013-10-01T11:59:00Z"
TIMEOUT = 0.5
DEADLINE = 2 * TIMEOUT + 1.5
STATS = view(
    "stats",
    [feature("rate", "float64"), feature("safe", "int64", staleness="default", default=7)],
    {"driver": "string"},
    source=Source("stats_push", "push"),
)
STATE = published(STATS, services={"drivers": ["stats:rate"], "safe": ["stats:safe"]})
ASK = {"feature_service": "drivers", "entities": {"driver": ["a"]}}
SAFE = {"feature_service": "safe", "entities": {"driver": ["a"]}}


def fill(url):
    store = RedisOnlineStore(connect(url, 5.0))
    put(store, STATS, {"driver": "a"}, {"rate": 0.5, "safe": 1})
    store.close()


@pytest.fixture(scope="module")
def redis_server():
    with tempfile.TemporaryDirectory(prefix="fh-") as folder, own_redis(Path(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def server(redis_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    more = 'access_log = "access.jsonl"'
    write_project(folder, STATE, redis_server.url, timeout=TIMEOUT, more=more)
    with served(folder, 2) as running:
        yield running


@pytest.fixture(scope="module")
def operators_token(server):
    return issue_token(server.folder, "operator")


@pytest.fixture(autouse=True)
def sound(redis_server, server):
    """Each test begins with a Redis that answers, and rows in it."""
    if redis_server.process is None:
        redis_server.start()
    redis_server.resume()
    fill(redis_server.url)
    wait_until_ready(server)


def wait_until_ready(server, seconds=20.0):
    """Until both workers have answered well some times in a row."""
    deadline, row = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        row = row + 1 if server.look_up(ASK).status_code == 200 else 0
        if row >= 12:
            return
        time.sleep(0.02)
    raise AssertionError("the server did not recover")


def hammered(server, body, seconds, trouble, connections=6):
    """All answers of a run during which `trouble` is done, a third of the way in."""
    timer = threading.Timer(seconds / 3, trouble)
    timer.start()
    answers = asyncio.run(hammer(server.address, body, seconds, connections, pause=0.005))
    timer.join()
    return answers


def test_a_stopped_redis_is_503_at_once_and_its_return_needs_no_restart(server, redis_server):
    answers = hammered(server, ASK, 1.5, redis_server.stop)
    assert answers.statuses == {200, 503}
    assert answers.slowest() < DEADLINE
    refused = server.look_up(ASK)
    assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
    assert httpx.get(f"{server.address}/health/ready").status_code == 503
    assert httpx.get(f"{server.address}/health/live").status_code == 200
    redis_server.start()
    fill(redis_server.url)
    wait_until_ready(server)


def test_defaults_are_answered_where_policy_allows_while_redis_is_stopped(server, redis_server):
    redis_server.stop()
    found = server.look_up(SAFE)
    assert found.status_code == 200 and "fieldhouse-degraded" in found.headers
    column = found.json()["results"][1]
    assert (column["values"], column["statuses"]) == ([7], ["INVALID"])
    both = {"features": ["stats:safe", "stats:rate"], "entities": {"driver": ["a"]}}
    assert server.look_up(both).status_code == 503


def test_a_redis_that_hangs_costs_one_timeout_and_then_nothing(server, redis_server):
    answers = hammered(server, ASK, 2.5, redis_server.hang)
    assert answers.statuses == {200, 503}
    assert answers.slowest() < DEADLINE
    slow = [took for took, _, _ in answers.all if took > TIMEOUT * 0.8]
    assert len(slow) <= 12  # those under way when it began to hang, on two workers
    assert answers.count(503) > 10 * len(slow)
    redis_server.resume()
    wait_until_ready(server)


def test_a_restart_of_redis_under_load_loses_answers_only_while_it_is_away(server, redis_server):
    def restart():
        redis_server.stop()
        redis_server.start()
        fill(redis_server.url)

    answers = hammered(server, ASK, 2.0, restart)
    assert answers.statuses <= {200, 503}
    last = [status for _, status, _ in answers.all[-50:]]
    assert set(last) == {200}
    assert answers.slowest() < DEADLINE


@contextmanager
def no_writes(redis_server, trouble):
    """A Redis that is full, a replica, or forbids writes; as before afterwards."""
    with redis.Redis(port=redis_server.port) as client:
        if trouble == "full":
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)
        elif trouble == "read only":
            client.replicaof("127.0.0.1", 1)
        else:
            client.acl_setuser("default", enabled=True, nopass=True, commands=["-@write", "+@read"])
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")
            client.config_set("maxmemory", 0)
            client.acl_setuser("default", enabled=True, nopass=True, commands=["+@all"])


@pytest.mark.parametrize("trouble", ["full", "read only", "no rights"])
def test_a_redis_that_takes_no_writes_answers_lookups_and_refuses_pushes_until_it_does(
    server, redis_server, operators_token, trouble
):
    drivers = [f"{trouble} {i}" for i in range(20)]
    rows = {"driver": drivers, "rate": [1.5] * 20, "safe": [2] * 20, "event_timestamp": [AT] * 20}
    pushed = {"push_source_name": "stats_push", "df": rows, "to": "online"}
    headers = {"authorization": f"Bearer {operators_token}"}

    def push():
        return httpx.post(f"{server.address}/push", json=pushed, headers=headers, timeout=60)

    ask = {"feature_service": "drivers", "entities": {"driver": drivers}}
    with no_writes(redis_server, trouble):
        refused = push()
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        assert "cannot write features" in json.loads(refused.json())["message"]
        answers = asyncio.run(hammer(server.address, ask, 0.2))
        assert answers.statuses == {200}
        assert set(server.look_up(ask).json()["results"][1]["statuses"]) == {"NOT_FOUND"}
    assert push().status_code == 200
    assert server.look_up(ask).json()["results"][1]["values"] == [1.5] * 20


def test_a_slow_redis_makes_answers_late_and_loses_none(server, redis_server):
    def slow():
        with redis.Redis(port=redis_server.port) as client:
            for _ in range(4):
                client.client_pause(int(TIMEOUT * 500))
                time.sleep(TIMEOUT / 2)

    answers = hammered(server, ASK, 1.5, slow)
    assert answers.statuses == {200}
    assert TIMEOUT / 3 < answers.slowest() < DEADLINE


def test_every_lookup_has_its_line_in_the_access_log_whichever_worker_answered(server):
    names = [f"line-{i}" for i in range(20)]
    for name in names:
        server.look_up(ASK, **{"x-request-id": name, "fieldhouse-caller": "shop"})
    server.look_up({"feature_service": "nobody"}, **{"x-request-id": "line-bad"})
    time.sleep(1.2)
    lines = map(json.loads, (server.folder / "access.jsonl").read_text().splitlines())
    found = {one["request_id"]: one for one in lines if one["request_id"].startswith("line-")}
    assert set(found) == {*names, "line-bad"}
    assert {(one["service"], one["status"], one["rows"]) for one in found.values()} == {
        ("drivers", 200, 1),
        ("refused", 422, 0),
    }
    assert all(0 < one["seconds"] < DEADLINE and one["bytes"] > 0 for one in found.values())


def test_a_killed_worker_is_replaced_and_the_other_answers_meanwhile(server):
    before = set(server.workers)
    assert len(before) == 2
    killed = before.pop()
    answers = hammered(server, ASK, 1.0, lambda: os.kill(killed, signal.SIGKILL))
    assert answers.statuses <= {0, 200}
    assert answers.count(0) <= 12  # what was on the killed worker's connections
    deadline = time.monotonic() + 20
    while len(server.workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(server.workers) == 2 and killed not in server.workers


def test_metrics_are_of_all_workers_and_only_grow(server):
    def counted():
        text = httpx.get(f"{server.address}/metrics").text
        name = 'fieldhouse_lookup_requests_total{service="drivers",status="200"} '
        return float(next(line for line in text.splitlines() if line.startswith(name))[len(name) :])

    time.sleep(1.2)
    before = counted()
    answers = asyncio.run(hammer(server.address, ASK, 0.3, connections=8))
    time.sleep(1.3)
    assert {counted() for _ in range(6)} == {before + len(answers.all)}


def test_use_of_all_workers_is_counted_in_the_registry(server):
    for _ in range(10):
        server.look_up(ASK, **{"fieldhouse-caller": "checkout"})
    database = open_database(f"sqlite:///{server.folder / '.fieldhouse' / 'registry.db'}")
    book, deadline = SqlUsage(database, "test"), time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            used = [one for one in book.all("stats:rate@1") if one.caller == "checkout"]
            if used and used[0].requests == 10:
                break
            time.sleep(0.1)
        assert [(one.service, one.requests, one.rows) for one in used] == [("drivers", 10, 10)]
    finally:
        database.close()


@pytest.mark.slow
def test_a_body_of_a_hundred_megabytes_is_413_and_the_server_lives_on(server):
    address = f"{server.address}/get-online-features"
    whole = b'{"feature_service": "' + b"x" * 100_000_000
    assert httpx.post(address, content=whole, timeout=30).status_code == 413
    parts = (whole[at : at + 1_000_000] for at in range(0, len(whole), 1_000_000))
    assert httpx.post(address, content=parts, timeout=30).status_code == 413
    assert server.look_up(ASK).status_code == 200


def test_a_new_state_is_obeyed_by_every_worker(server):
    publish(
        server.folder,
        replace(
            STATE,
            number=STATE.number + 1,
            retired=(RetiredFeature("stats", "old", 1, "stats:rate"),),
        ),
    )
    time.sleep(0.5)
    gone = {"features": ["stats:old"], "entities": {"driver": ["a"]}}
    found = [server.look_up(gone) for _ in range(12)]
    assert {answer.status_code for answer in found} == {410}
    assert "use stats:rate" in json.loads(found[0].json())["message"]


@pytest.mark.slow
def test_the_last_state_serves_while_the_registry_is_gone_and_says_since_when(
    redis_server, tmp_path
):
    write_project(tmp_path, STATE, redis_server.url, timeout=TIMEOUT, max_age=1.5)
    database = tmp_path / ".fieldhouse" / "registry.db"
    with served(tmp_path, 1) as server:
        assert "fieldhouse-registry-silent-since" not in server.look_up(ASK).headers
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = database.read_bytes()
        database.write_bytes(b"not a database" * 1000)
        time.sleep(0.6)
        found = server.look_up(ASK)
        assert found.status_code == 200
        assert found.headers["fieldhouse-registry-silent-since"].startswith("2013-10-01T11:59:5")
        ready = httpx.get(f"{server.address}/health/ready").json()
        assert ready["ready"] and ready["registry_silent_since"].startswith("2013-10-01T11:59:5")
        time.sleep(1.5)
        assert server.look_up(ASK).status_code == 503
        database.write_bytes(kept)
        for left in ("-wal", "-shm"):  # what was kept was whole without them
            (database.parent / f"{database.name}{left}").unlink(missing_ok=True)
        wait_until_ready(server)
        assert "fieldhouse-registry-silent-since" not in server.look_up(ASK).headers


def test_sigterm_lets_what_is_under_way_finish(redis_server, tmp_path):
    write_project(tmp_path, STATE, redis_server.url, timeout=5.0)
    with served(tmp_path, 2) as server:
        whole = request(server.address, "/get-online-features", json.dumps(ASK).encode())

        async def ask_and_end():
            asked = [asyncio.create_task(once(server.address, whole)) for _ in range(12)]
            await asyncio.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            return await asyncio.gather(*asked)

        with redis.Redis(port=redis_server.port) as client:
            client.client_pause(900)
        found = asyncio.run(ask_and_end())
        assert [status for status, _ in found] == [200] * 12
        assert server.process.wait(20) == 0


@pytest.mark.slow
def test_overload_is_429_early_and_who_is_taken_is_answered_in_bounded_time(redis_server, tmp_path):
    write_project(tmp_path, STATE, redis_server.url, timeout=2.0, more="queue_seconds = 0.02")
    many = {"feature_service": "drivers", "entities": {"driver": ["a"] * 2000}}
    with served(tmp_path, 1) as server:
        asyncio.run(hammer(server.address, many, 1.0, connections=1))
        answers = asyncio.run(hammer(server.address, many, 4.0, connections=100, pause=0.02))
        refused = server.look_up(many)
    assert answers.statuses == {200, 429}
    assert answers.count(429) > 0 and answers.count(200) > 0
    taken = sorted(took for took, status, _ in answers.all if status == 200)
    assert taken[len(taken) // 2] < 0.5
    assert taken[len(taken) * 99 // 100] < 1.0
    assert refused.status_code in (200, 429)
