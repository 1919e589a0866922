"""A Redis behind TLS with users of its own rights: reads, writes, and what is refused."""

import asyncio
import tempfile
from pathlib import Path

import pytest
import redis

from featureserver.keys import key_space
from featureserver.rows import pack
from featureserver.stores.opening import open_reader, open_store
from registry.kernel.errors import Unavailable
from registry.testing import NOON, feature, view
from tests.feature_server import own_redis
from tests.tls import self_signed, tls_before

VIEW = view("stats", [feature("rate")], {"id": "int64"})
KEYS = key_space(VIEW).keys({"id": list(range(2000))})
ROWS = [pack(VIEW.row_schema, {"rate": float(i)}, NOON) for i in range(2000)]


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="fh-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def plain_port(folder):
    """`ada` may do all, `bob` read; nobody comes in without a password."""
    with own_redis(folder) as server, redis.Redis(port=server.port) as client:
        client.acl_setuser("ada", enabled=True, passwords="+one", keys="*", commands=["+@all"])
        client.acl_setuser("bob", enabled=True, passwords="+two", keys="*", commands=["+@read"])
        client.acl_setuser("default", enabled=False)
        yield server.port


@pytest.fixture(scope="module")
def certificate(folder):
    return self_signed(folder)


@pytest.fixture(scope="module")
def port(plain_port, certificate):
    """Of the TLS side."""
    with tls_before(plain_port, *certificate, mutual=False) as found:
        yield found


def url_of(port, folder, login="ada:one"):
    return f"rediss://{login}@127.0.0.1:{port}/0?ssl_ca_certs={folder / 'certificate.pem'}"


def read(url, keys):
    """By the loop's reader."""

    async def ask():
        reader = open_reader(url, 5.0)
        try:
            return await reader.read(keys)
        finally:
            await reader.close()

    return asyncio.run(ask())


def test_rows_are_written_and_read_over_tls_by_threads_and_loops(port, folder):
    store = open_store(url_of(port, folder), 5.0)
    assert store.write(KEYS, ROWS) == 2000
    assert store.read(KEYS) == ROWS
    assert read(url_of(port, folder), KEYS) == ROWS
    store.close()


def test_a_user_who_may_only_read_reads(port, folder):
    url = url_of(port, folder, "bob:two")
    assert read(url, KEYS[:2]) in (ROWS[:2], [None, None])
    store = open_store(url, 5.0)
    with pytest.raises(Unavailable, match="cannot write features"):
        store.write(KEYS[:1], ROWS[:1])
    store.close()


def test_a_server_that_asks_for_a_certificate_gets_the_urls(plain_port, certificate, folder):
    with tls_before(plain_port, *certificate, mutual=True) as port:
        url = url_of(port, folder)
        mine = f"&ssl_certfile={certificate[0]}&ssl_keyfile={certificate[1]}"
        assert read(url + mine, [b"nothing"]) == [None]
        with pytest.raises(Unavailable):
            read(url, [b"nothing"])


@pytest.mark.parametrize("login", ["ada:wrong-word", "eve:wrong-word"])
def test_a_wrong_password_is_unavailable_and_not_told(port, folder, login):
    with pytest.raises(Unavailable) as caught:
        read(url_of(port, folder, login), KEYS[:1])
    assert "wrong-word" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_unavailable(port, folder):
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        read(f"rediss://ada:one@127.0.0.1:{port}/0", KEYS[:1])
