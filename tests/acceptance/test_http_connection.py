"""Our HTTP connection beside uvicorn's own: the same bytes in, the same answers out."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from featureserver.listen import listen_tcp
from featureserver.server import config_of

LIMIT = 1000


@dataclass(frozen=True)
class Told:
    body: bytes
    status: int = 200
    headers: tuple = ((b"content-type", b"text/plain"),)


class Echo:
    """Tells what it was asked; waits first where the path says so. By ASGI and as a service."""

    max_body_bytes = LIMIT

    async def respond(self, request):
        return await self.told(request.method, request.path, request.headers, request.body)

    async def told(self, method, path, headers, body):
        if path.startswith("/wait"):
            await asyncio.sleep(0.3 if "long" in path else 0.02)
            await asyncio.sleep(0)
        if body is None:
            return Told(b"too large", 413)
        return Told(f"{method} {path} {headers.get('x-a')} ".encode() + body)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            return await send({"type": "lifespan.shutdown.complete"})
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {n.decode(): v.decode() for n, v in scope["headers"]}
        whole = body if len(body) <= LIMIT else None
        told = await self.told(scope["method"], scope["path"], headers, whole)
        length = (b"content-length", b"%d" % len(told.body))
        start = {"status": told.status, "headers": [*told.headers, length]}
        await send({"type": "http.response.start", **start})
        return await send({"type": "http.response.body", "body": told.body})


@contextmanager
def running(config):
    opened = listen_tcp("127.0.0.1", 0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])))
    thread.start()
    try:
        yield opened.getsockname(), server
    finally:
        server.should_exit = True
        thread.join(15)
        opened.close()


@pytest.fixture(scope="module")
def ours():
    with running(config_of(Echo(), wakeful_seconds=0.0001)) as (address, _):
        yield address


@pytest.fixture(scope="module")
def uvicorns():
    config = uvicorn.Config(
        Echo(), http="httptools", ws="none", log_config=None, server_header=False
    )
    with running(config) as (address, _):
        yield address


def exchange(address, parts):
    """All that comes back until the server closes, without the dates."""
    with socket.create_connection(address, timeout=3) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            client.sendall(part)
        found = b""
        while data := client.recv(65536):
            found += data
    lines = found.lower().split(b"\r\n")
    return sorted(line for line in lines if not line.startswith(b"date:"))


def request(path="/", body=b"", method="POST", *headers, version="1.1"):
    head = [f"{method} {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


LAST = request("/last", b"z", "POST", "Connection: close")
REQUESTS = {
    "plain": request("/a", b"body", "POST", "X-A: b") + LAST,
    "a query and escapes": request("/a%20b?c=d") + LAST,
    "head": request("/a", method="HEAD") + LAST,
    "get": request("/a", method="GET") + LAST,
    "the old protocol": request("/a", b"q", version="1.0"),
    "one that waits, then others": request("/wait", b"1") + request("/b", b"2") + LAST,
    "two that wait": request("/wait", b"1") + request("/wait", b"2") + LAST,
    "chunks": b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + LAST,
    "too large": request("/a", b"x" * (LIMIT + 1)) + LAST,
    "as large as may be": request("/a", b"x" * LIMIT) + LAST,
    "a full address": request("http://x/there?q") + LAST,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_uvicorn(name, ours, uvicorns):
    assert exchange(ours, [REQUESTS[name]]) == exchange(uvicorns, [REQUESTS[name]])


def test_an_upgrade_that_nobody_knows_is_a_request_like_others(ours):
    whole = request("/a", b"", "GET", "Connection: Upgrade", "Upgrade: h2c") + LAST
    told = [line for line in exchange(ours, [whole]) if b"none" in line]
    assert told == [b"get /a none http/1.1 200 ok", b"post /last none z"]


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.integers(1, 300), max_size=4, unique=True), st.sampled_from(sorted(REQUESTS)))
def test_it_does_not_matter_where_the_bytes_are_cut(ours, cuts, name):
    whole, ends = REQUESTS[name], sorted(cuts)
    parts = [whole[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
    assert exchange(ours, parts) == exchange(ours, [whole])


def test_what_is_no_http_is_400_and_the_end(ours):
    found = exchange(ours, [b"what is this\r\n\r\n"])
    assert b"http/1.1 400 bad request" in found and b"connection: close" in found


def test_a_client_that_asks_first_is_told_to_go_on(ours):
    with socket.create_connection(ours, timeout=3) as client:
        whole = request("/a", b"later", "POST", "Expect: 100-continue")
        client.sendall(whole[:-5])
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(whole[-5:])
        assert client.recv(1000).endswith(b"POST /a None later")


def test_far_too_much_is_refused_before_it_is_sent(ours):
    with socket.create_connection(ours, timeout=3) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_the_answer_under_way_goes_out_before_the_server_ends():
    with (
        running(config_of(Echo())) as (address, server),
        socket.create_connection(address, timeout=0.05) as client,
    ):
        client.sendall(request("/wait-long", b"1"))
        with pytest.raises(TimeoutError):
            client.recv(1)
        server.should_exit = True
        client.settimeout(10)
        answer = client.recv(1000)
    assert answer.endswith(b"POST /wait-long None 1") and b"connection: close" in answer


def test_a_client_that_leaves_in_mid_request_hurts_nobody(ours):
    for cut in (30, -2):
        with socket.create_connection(ours, timeout=3) as client:
            client.sendall(request("/wait", b"body")[:cut])
    with socket.create_connection(ours, timeout=3) as client:
        client.sendall(request("/wait", b"gone"))
    assert exchange(ours, [LAST])[0] == b""
