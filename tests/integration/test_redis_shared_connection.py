"""Lookups on an event loop share one connection to a real Redis and stay apart."""

import asyncio
import time

import pytest

from featureserver.stores.redis import connect
from featureserver.stores.redis_wire import RedisReader
from featureserver.testing import temporary_redis
from registry.kernel.errors import Unavailable


@pytest.fixture(scope="module")
def url():
    with temporary_redis() as found:
        with connect(found, 5.0) as client:
            client.mset({f"k{i}": f"v{i}" for i in range(200)})
        yield found


def clients_of(url):
    with connect(url, 5.0) as client:
        return [c for c in client.client_list() if c["cmd"] == "mget"]


def test_concurrent_reads_get_their_own_answers_over_one_connection(url):
    async def ask():
        reader = RedisReader(url, 5.0)
        asked = [[f"k{i}".encode(), b"missing"] for i in range(200)]
        found = await asyncio.gather(*(reader.read(keys) for keys in asked))
        connections = len(clients_of(url))
        await reader.close()
        return found, connections

    found, connections = asyncio.run(ask())
    assert found == [[f"v{i}".encode(), None] for i in range(200)]
    assert connections == 1


def test_a_cancelled_read_does_not_shift_the_answers_of_others(url):
    async def ask():
        reader = RedisReader(url, 5.0)
        await reader.read([b"k0"])
        cancelled = asyncio.create_task(reader.read([b"k1"]))
        await asyncio.sleep(0)
        cancelled.cancel()
        found = await reader.read([b"k2"])
        await reader.close()
        return found

    assert asyncio.run(ask()) == [b"v2"]


def test_a_redis_that_hangs_is_unavailable_within_the_timeout_and_then_answers_again(url):
    async def ask():
        reader = RedisReader(url, 0.3)
        await reader.read([b"k0"])
        with connect(url, 5.0) as client:
            client.client_pause(900)
            started = time.perf_counter()
            with pytest.raises(Unavailable, match="in time"):
                await reader.read([b"k1"])
            waited = time.perf_counter() - started
            with pytest.raises(Unavailable, match="in time"):
                await asyncio.wait_for(reader.read([b"k1"]), 0.05)
            client.client_unpause()
        await asyncio.sleep(0.3)
        found = await reader.read([b"k1"])
        await reader.close()
        return waited, found

    waited, found = asyncio.run(ask())
    assert waited < 0.8
    assert found == [b"v1"]


def test_a_password_that_is_wrong_is_unavailable(url):
    async def ask():
        reader = RedisReader(url.replace("unix://", "unix://:wrong@"), 1.0)
        with pytest.raises(Unavailable, match="AUTH"):
            await reader.read([b"k0"])
        await reader.close()

    asyncio.run(ask())
