"""The shipped feature server and all manner of clients: pipelined, chunked, old, slow, large."""

import gzip
import json
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import put
from registry.testing import feature, published, view
from tests.feature_server import own_redis, served, write_project

STATS = view("stats", [feature("rate")], {"id": "int64"})
STATE = published(STATS, services={"all": ["stats:rate"]})
PATH = "/get-online-features"


def asked(*ids):
    return json.dumps({"feature_service": "all", "entities": {"id": list(ids)}}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with tempfile.TemporaryDirectory(prefix="fh-") as place, own_redis(Path(place)) as redis:
        write_project(folder, STATE, redis.url, timeout=5.0)
        store = RedisOnlineStore(connect(redis.url, 5.0))
        for one in range(3):
            put(store, STATS, {"id": one}, {"rate": one + 0.5})
        store.close()
        with served(folder, 1) as running:
            yield running


@contextmanager
def talking(server):
    """A socket to the server, and a reader of answers: (status, headers, body)."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 30) as link, link.makefile("rb") as file:

        def answer():
            status = int(file.readline().split()[1])
            headers = {}
            while line := file.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            return status, headers, file.read(int(headers["content-length"]))

        yield link, answer, file


def http(body, *headers, version="1.1", length=True):
    lines = [f"POST {PATH} HTTP/{version}", "Host: x", "Content-Type: application/json", *headers]
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def rates(body):
    return json.loads(body)["results"][1]["values"]


def test_pipelined_requests_are_answered_in_their_order(server):
    with talking(server) as (link, answer, _):
        link.sendall(b"".join(http(asked(i % 3)) for i in range(50)))
        assert [rates(answer()[2]) for _ in range(50)] == [[i % 3 + 0.5] for i in range(50)]


def test_a_kept_connection_goes_on_after_a_refusal(server):
    with talking(server) as (link, answer, _):
        for body, status in ((b"{", 422), (asked(1), 200), (b"[]", 422), (asked(2), 200)):
            link.sendall(http(body))
            assert answer()[0] == status


def test_a_chunked_body_is_read_however_it_is_cut(server):
    body = asked(0, 1, 2)
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
    with talking(server) as (link, answer, _):
        link.sendall(http(b"", "Transfer-Encoding: chunked", length=False))
        link.sendall(chunks + b"0\r\n\r\n")
        assert rates(answer()[2]) == [0.5, 1.5, 2.5]


def test_http_1_0_is_answered_and_its_connection_closed(server):
    with talking(server) as (link, answer, file):
        link.sendall(http(asked(1), version="1.0"))
        status, _, body = answer()
        assert (status, rates(body)) == (200, [1.5])
        assert file.read() == b""


def test_slow_clients_hold_nobody_up(server):
    whole, others_done, found = http(asked(2)), threading.Event(), []

    def dribble():
        with talking(server) as (link, answer, _):
            for at in range(0, len(whole), 10):
                link.sendall(whole[at : at + 10])
                if at > len(whole) // 2:
                    others_done.wait(30)
            found.append(rates(answer()[2]))

    threads = [threading.Thread(target=dribble) for _ in range(20)]
    for thread in threads:
        thread.start()
    with talking(server) as (link, answer, _):
        for _ in range(50):
            link.sendall(http(asked(1)))
            assert rates(answer()[2]) == [1.5]
    assert found == []
    others_done.set()
    for thread in threads:
        thread.join()
    assert found == [[2.5]] * 20


def test_a_body_of_a_hundred_megabytes_is_refused_before_it_is_sent(server):
    with talking(server) as (link, answer, _):
        link.sendall(http(b"", "Content-Length: 100000000", length=False))
        status, _, body = answer()
        assert status == 413 and "too large" in json.loads(json.loads(body))["message"]


def test_a_client_that_asks_first_is_told_not_to_send_too_much(server):
    with talking(server) as (link, answer, _):
        head = ("Content-Length: 100000000", "Expect: 100-continue")
        link.sendall(http(b"", *head, length=False))
        assert answer()[0] == 413


def test_gzip_both_ways_and_ten_thousand_entities(server):
    ids = [i % 4 for i in range(10_000)]
    headers = {"content-encoding": "gzip", "accept-encoding": "gzip"}
    body = gzip.compress(asked(*ids))
    answer = httpx.post(server.address + PATH, content=body, headers=headers, timeout=30)
    assert answer.headers["content-encoding"] == "gzip"
    found = answer.json()["results"][1]
    assert found["values"] == [None if i == 3 else i + 0.5 for i in ids]
    assert found["statuses"] == ["NOT_FOUND" if i == 3 else "PRESENT" for i in ids]


def test_one_entity_too_many_and_a_bomb_of_gzip_are_refused(server):
    many = httpx.post(server.address + PATH, content=asked(*range(10_001)), timeout=30)
    assert many.status_code == 422
    bomb = gzip.compress(b" " * 20_000_000)
    headers = {"content-encoding": "gzip"}
    answer = httpx.post(server.address + PATH, content=bomb, headers=headers, timeout=30)
    assert answer.status_code == 413
