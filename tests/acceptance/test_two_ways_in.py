"""The feature server by its own connection and by uvicorn's ASGI: the same bytes in and out."""

import asyncio
import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
import uvicorn

from featureserver.access_log import AccessLog
from featureserver.app import Parts, create_app
from featureserver.endpoints import Limits
from featureserver.listen import listen_tcp
from featureserver.server import config_of
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import lookup_over, put
from registry.kernel.errors import Unavailable
from registry.testing import InMemoryRegistry, feature, published, view
from tests.unit.featureserver.asgi import Reader

V = view(
    "v",
    [
        feature("rate"),
        replace(feature("old"), state="deprecated", replaced_by="v:rate"),
        feature("name", "string"),
    ],
    {"id": "int64"},
    ttl_seconds=3600.0,
)
STATE = published(V, services={"all": ["v:rate", "v:old", "v:name"], "one": ["v:rate"]})
PATH = "/get-online-features"


class Broken(Reader):
    """Does not answer for the entity 13."""

    async def read(self, keys):
        if any(b"{1\x0d" in key for key in keys):
            raise Unavailable("cannot read features", "it is the thirteenth")
        return self.store.read(keys)


def app(log):
    store = InMemoryOnlineStore()
    for one in range(400):
        put(store, V, {"id": one}, {"rate": one / 7, "old": 1.0, "name": f"n{one}"})
    return create_app(
        Parts(
            lookup=lookup_over(STATE, store),
            reader=Broken(store),
            pusher=lambda: None,
            materializer=lambda: None,
            authority=InMemoryRegistry(STATE).authority,
            limits=Limits(body_bytes=20_000, rows=500),
            log=AccessLog(log),
        )
    )


@contextmanager
def running(application, **ways):
    opened = listen_tcp("127.0.0.1", 0)
    config = config_of(application)
    for name, value in ways.items():
        setattr(config, name, value)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])))
    thread.start()
    try:
        yield opened.getsockname()
    finally:
        server.should_exit = True
        thread.join(15)
        opened.close()


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return folder / "ours", folder / "uvicorns"


@pytest.fixture(scope="module")
def both(logs):
    with running(app(logs[0])) as ours, running(app(logs[1]), http="httptools") as uvicorns:
        yield ours, uvicorns


def request(body=b"", *headers, method="POST", path=PATH):
    head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def asked(*ids, **more):
    return json.dumps({"feature_service": "all", "entities": {"id": list(ids)}, **more}).encode()


ID = "X-Request-Id: mine-1"
JSON = "Content-Type: application/json"
ARROW = "Accept: application/vnd.apache.arrow.stream"
BY_NAME = {"feature_service": None, "features": ["v:rate", "v:name"]}
REQUESTS = {
    "one": request(asked(1), ID, JSON),
    "many, some missing": request(asked(*range(390, 420)), ID, JSON),
    "none": request(asked(), ID),
    "a null key": request(asked(1, None, 2), ID),
    "full names": request(asked(1, full_feature_names=True), ID),
    "versions of views": request(asked(1, include_feature_view_version_metadata=True), ID),
    "by references": request(asked(3, **BY_NAME), ID),
    "arrow": request(asked(*range(20)), ID, ARROW),
    "gzip out": request(asked(*range(200)), ID, "Accept-Encoding: gzip"),
    "gzip refused": request(asked(*range(200)), ID, "Accept-Encoding: gzip;q=0"),
    "gzip in": request(gzip.compress(asked(1, 2)), ID, "Content-Encoding: gzip"),
    "gzip that is none": request(asked(1), ID, "Content-Encoding: gzip"),
    "another coding": request(asked(1), ID, "Content-Encoding: br"),
    "as Feast answers": request(asked(1, 999), ID, "Fieldhouse-Feast-Answers: true"),
    "no JSON": request(b"{", ID),
    "not UTF-8": request(b'{"feature_service": "\xff"}', ID),
    "another type": request(asked(1), ID, "Content-Type: text/plain"),
    "another method": request(b"", ID, method="GET"),
    "an unknown service": request(asked(1, feature_service="al"), ID),
    "a wrong key": request(asked("x"), ID),
    "too many rows": request(asked(*range(501)), ID),
    "too large": request(b" " * 20_001, ID),
    "as large as may be": request(asked(1).ljust(20_000), ID),
    "the store does not answer": request(asked(13), ID),
    "a caller": request(asked(1), ID, "Fieldhouse-Caller: shop", "User-Agent: x/1"),
    "live": request(method="GET", path="/health/live"),
    "ready, its head": request(method="HEAD", path="/health"),
    "health posted": request(method="POST", path="/health"),
    "no such route": request(method="GET", path="/nothing?at=all"),
    "a push without a token": request(b"{}", JSON, path="/push"),
    "a push of nonsense": request(b'{"df": 1}', JSON, path="/push"),
    "a body too large for a push": request(b" " * 20_001, JSON, path="/push"),
    "a span without a token": request(b"{}", JSON, path="/materialize?async=maybe"),
    "the document": request(method="GET", path="/openapi.json"),
}
LAST = request(method="GET", path="/health/live").replace(b"Host", b"Connection: close\r\nHost")


def exchange(address, whole):
    """Head lines, sorted and without the date, and the body of each answer."""
    with socket.create_connection(address, timeout=20) as client, client.makefile("rb") as file:
        client.sendall(whole + LAST)
        found = []
        while line := file.readline():
            head = [line]
            while (line := file.readline()) != b"\r\n":
                head.append(line)
            size = next(int(one[15:]) for one in head if one.startswith(b"content-length:"))
            size = 0 if whole.startswith(b"HEAD") and not found else size
            kept = sorted(one for one in head if not one.startswith(b"date:"))
            found.append((kept, file.read(size)))
    return found


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_the_same_bytes_both_ways(name, both):
    ours, uvicorns = (exchange(address, REQUESTS[name]) for address in both)
    assert len(ours) == 2 and ours == uvicorns


def test_both_count_and_log_the_same(both, logs):
    def told(address, log):
        for one in ("a caller", "no JSON", "too large"):
            exchange(address, REQUESTS[one])
        text = httpx.get(f"http://{address[0]}:{address[1]}/metrics").text
        time.sleep(0.7)  # the log is written every half second
        lines = [json.loads(line) for line in log.read_text().splitlines()[-3:]]
        kept = [
            {k: line[k] for k in line.keys() - {"at", "seconds", "request_id"}} for line in lines
        ]
        return kept, [one for one in text.splitlines() if one.startswith("fieldhouse_lookup_r")]

    ours, uvicorns = map(told, both, logs)
    assert len(ours[0]) == 3 and len(ours[1]) > 3 and ours == uvicorns
