"""Concurrent writers on a real Redis leave the newest row, in whatever order they come."""

import threading
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featureserver.keys import key_space
from featureserver.rows import pack
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import temporary_redis
from registry.kernel.errors import Unavailable
from registry.testing import NOON, feature, view

VIEW = view("stats", [feature("rate")], {"id": "int64"})
WRITES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=40
)


@pytest.fixture(scope="module")
def url():
    with temporary_redis() as found:
        yield found


def keys_of(entities):
    return key_space(VIEW).keys({"id": list(entities)})


def row(event: int, created: int) -> bytes:
    at = NOON + timedelta(minutes=event)
    values = {"rate": event * 100.0 + created}
    return pack(VIEW.row_schema, values, at, NOON + timedelta(minutes=created))


def write_all(url, writes, start):
    store = RedisOnlineStore(connect(url, 5.0))
    start.wait()
    for entity, event, created in writes:
        store.write(keys_of([entity]), [row(event, created)])
    store.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WRITES, min_size=2, max_size=4))
def test_concurrent_writers_leave_the_newest(url, shares):
    client = connect(url, 5.0)
    client.flushall()
    start = threading.Barrier(len(shares))
    threads = [threading.Thread(target=write_all, args=(url, s, start)) for s in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest: dict[int, tuple[int, int]] = {}
    for entity, event, created in (write for share in shares for write in share):
        newest[entity] = max(newest.get(entity, (event, created)), (event, created))
    store = RedisOnlineStore(client)
    assert store.read(keys_of(newest)) == [row(*newest[entity]) for entity in newest]
    store.close()


def test_expiry_is_what_was_asked_for_and_none_otherwise(url):
    client = connect(url, 5.0)
    store = RedisOnlineStore(client)
    short, ever = keys_of([1001, 1002])
    store.write([short], [row(0, 0)], expire_seconds=60.0)
    store.write([ever], [row(0, 0)])
    assert 55_000 < client.pttl(short) <= 60_000
    assert client.pttl(ever) == -1
    store.close()


def test_a_store_carries_on_when_redis_forgot_the_script(url):
    client = connect(url, 5.0)
    store = RedisOnlineStore(client)
    store.write(keys_of([2001]), [row(0, 0)])
    client.script_flush()
    assert store.write(keys_of([2001]), [row(1, 1)]) == 1
    store.close()


def test_a_redis_that_is_not_there_is_unavailable_without_a_password_in_the_message():
    store = RedisOnlineStore(
        connect("redis://ada:secret@127.0.0.1:1/0", 0.5), "redis://127.0.0.1:1"
    )
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        store.read([b"k"])
    assert "secret" not in str(caught.value)
    assert time.monotonic() - started < 5
    store.close()
