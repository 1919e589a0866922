"""Small reads from a near Redis: polled for, or left to the ordinary way."""

import asyncio
import os
import signal
import threading
import time

import pytest
import redis

from featureserver.redis_server import embedded_redis
from featureserver.stores.opening import open_reader, open_store
from featureserver.stores.redis_polled import Connection, can_poll
from registry.kernel.errors import Unavailable

POLL = 0.05
KEYS = [b"a", b"none", b"b"]
VALUES = [b"1", None, b"2\r\n$-1"]


@pytest.fixture
def near(tmp_path):
    """A Redis with two keys, and a client of it."""
    with embedded_redis(tmp_path / "r") as url, redis.Redis.from_url(url) as client:
        client.mset({b"a": VALUES[0], b"b": VALUES[2]})
        yield url, client


@pytest.fixture
def store(near):
    made = open_store(near[0], 0.3, POLL)
    yield made
    made.close()


def pid_of(client):
    return int(client.info("server")["process_id"])


def test_values_come_in_order_from_many_threads(store):
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(store.read(KEYS) for _ in range(50)))
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [VALUES] * 200


def test_a_connection_that_was_closed_costs_no_reader_an_error(near, store):
    assert store.read(KEYS) == VALUES
    near[1].client_kill_filter(skipme=True)
    assert store.read(KEYS) == VALUES
    time.sleep(1.1)
    assert store.read(KEYS) == VALUES and len(store._quick._free) == 1


def test_a_redis_that_hangs_is_unavailable_in_time_and_its_late_answer_is_nobodys(near, store):
    assert store.read([b"a"]) == [b"1"]
    pid = pid_of(near[1])
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="Redis"):
            store.read([b"a"])
        assert time.monotonic() - begun < 1
    finally:
        os.kill(pid, signal.SIGCONT)
    assert store.read([b"b"]) == [VALUES[2]]


def test_an_error_of_redis_is_told_by_the_ordinary_way(near, store):
    near[1].execute_command("ACL", "SETUSER", "default", "-mget")
    with pytest.raises(Unavailable, match="mget"):
        store.read(KEYS)


def test_a_process_that_was_forked_does_not_use_its_parents_connection(near):
    connection = Connection(near[0], 1.0)
    connection._pid -= 1
    with pytest.raises(ConnectionError, match="fork"):
        connection.ask(b"PING\r\n", POLL, 1.0)
    connection.close()


def test_an_event_loop_polls_once_connected_and_never_gets_a_late_answer(near):
    async def run():
        reader = open_reader(near[0], 2.0, POLL)
        first = await reader.read(KEYS)
        reader._connecting.join(5)
        polled = await reader.read(KEYS)
        pid = pid_of(near[1])
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.2, os.kill, (pid, signal.SIGCONT)).start()
        late = await reader.read([b"b"])
        owed = reader._connection.owed
        await asyncio.sleep(0.05)
        after = await reader.read([b"a"])
        rest = reader._connection.owed
        await reader.close()
        return first, polled, late, owed, after, rest

    first, polled, late, owed, after, rest = asyncio.run(run())
    assert first == polled == VALUES and late == [VALUES[2]] and after == [b"1"]
    assert (owed, rest) == (1, 0)


def test_an_event_loop_reads_the_ordinary_way_while_there_is_no_redis(tmp_path):
    async def run():
        reader = open_reader(f"unix://{tmp_path}/none.sock", 0.2, POLL)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await reader.read(KEYS)
        await reader.close()

    asyncio.run(run())


def test_a_password_and_a_database_are_given_first(near):
    url, client = near
    client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all")
    path = url.removeprefix("unix://")
    connection = Connection(f"unix://reader:secret@{path.partition('?')[0]}?db=3", 1.0)
    assert connection.ask(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", POLL, 1.0) is None
    connection.close()


def test_what_is_encrypted_is_not_polled():
    assert not can_poll("rediss://somewhere:6379")
