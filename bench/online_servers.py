"""The servers of the online benchmark, each a process: `python -m bench.online_servers KIND REDIS`.

`ours` is the shipped server. `feast` is Feast's own application over its Redis store. `floor` is
written by hand for these very schemas: no registry, no types, no policies, the same bytes out.
"""

import math
import struct
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.feast_store import FeastTable, feast_store
from bench.online_shapes import ENTITIES, KINDS, NOW, TTL_SECONDS, Kind, event_time, value


def published_state() -> Any:
    """The published state of all kinds, one feature service each."""
    from registry.testing import feature, published, view

    views, services = [], {}
    for kind in KINDS:
        for index, name in enumerate(kind.view_names()):
            features = [feature(one, "float64") for one in kind.feature_names(index)]
            views.append(view(name, features, {"id": "int64"}, ttl_seconds=TTL_SECONDS))
        services[kind.name] = kind.refs()
    return published(*views, services=services)


def fill(url: str) -> None:
    """Write our rows: what both `ours` and `floor` read."""
    from featureserver.keys import key_space
    from featureserver.rows import pack
    from featureserver.stores.redis import RedisOnlineStore, connect

    store, state = RedisOnlineStore(connect(url, 30.0)), published_state()
    for kind in KINDS:
        for index, name in enumerate(kind.view_names()):
            made = state.views[name]
            keys = key_space(made).keys({"id": list(range(ENTITIES))})
            rows = [
                pack(
                    made.row_schema,
                    {f: value(e, index, i) for i, f in enumerate(kind.feature_names(index))},
                    event_time(e),
                )
                for e in range(ENTITIES)
            ]
            store.write([key for key in keys if key is not None], rows, rewrite=True)
    store.close()


def serve_ours(url: str) -> None:
    from featureserver.hosting import host_app
    from featureserver.listen import listen_tcp
    from featureserver.server import address_of, serve
    from registry.kernel.settings import Settings
    from registry.testing import InMemoryRegistry

    values = {
        "clock": {"instant": NOW.isoformat().replace("+00:00", "Z")},
        "online": {"url": url},
    }
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder), None, values, {})
        sockets = [listen_tcp("127.0.0.1", 0)]
        with host_app(settings, InMemoryRegistry(published_state())) as app:
            print(address_of(sockets[0]), flush=True)
            serve(app, sockets, 5)


class FloorRequest(msgspec.Struct):
    feature_service: str
    entities: dict[str, list[int]]


class FloorResult(msgspec.Struct):
    values: list[Any]
    statuses: Any
    event_timestamps: Any


class FloorAnswer(msgspec.Struct):
    results: list[FloorResult]
    metadata: Any


class FloorKind:
    """Everything about one kind that can be known before a request comes."""

    def __init__(self, kind: Kind) -> None:
        width = kind.features // kind.views
        bitmap = (width + 7) // 8
        self.row = struct.Struct(f"<BHq{bitmap}s{width}d")
        self.nulls = bytes(bitmap)
        self.suffixes = [f"}}test/{name}.1".encode() for name in kind.view_names()]
        names = [ref.partition(":")[2] for ref in kind.refs()]
        metadata = {"feature_names": ["id", *names]}
        self.metadata = msgspec.Raw(msgspec.json.encode(metadata))


class Floor:
    """The application: one MGET, one struct, one JSON document."""

    def __init__(self, url: str) -> None:
        self.url, self.link = url, None
        self.kinds = {kind.name: FloorKind(kind) for kind in KINDS}
        self.decode = msgspec.json.Decoder(FloorRequest).decode
        self.encode = msgspec.json.Encoder().encode
        self.texts: dict[int, str] = {}
        self.oldest = int(NOW.timestamp() * 1_000_000 - TTL_SECONDS * 1_000_000)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        answer = await self.answer(self.decode(body))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def read(self, keys: list[bytes]) -> list[bytes]:
        import asyncio

        import hiredis

        from featureserver.stores.redis_link import Link

        if self.link is None:
            host, port = self.url.removeprefix("redis://").split(":")
            loop = asyncio.get_running_loop()
            _, self.link = await loop.create_connection(Link, host, int(port))
        return await self.link.ask(hiredis.pack_command(("MGET", *keys)), time.monotonic() + 9)

    async def answer(self, request: FloorRequest) -> bytes:
        kind, ids = self.kinds[request.feature_service], request.entities["id"]
        entities = [b"{" + self.escaped(self.integer(one)) for one in ids]
        keys = [entity + suffix for suffix in kind.suffixes for entity in entities]
        found = await self.read(keys)
        count = len(ids)
        present = msgspec.Raw(self.encode(["PRESENT"] * count))
        ever = msgspec.Raw(self.encode(["1970-01-01T00:00:00Z"] * count))
        results = [FloorResult(ids, present, ever)]
        for at in range(0, len(found), count):
            results += self.columns(kind, found[at : at + count], present)
        return self.encode(FloorAnswer(results, kind.metadata))

    def columns(self, kind: FloorKind, raw: list[bytes], present: Any) -> list[FloorResult]:
        empty = (2, 1, 0, kind.nulls, *[None] * ((kind.row.size - 11 - len(kind.nulls)) // 8))
        if None in raw:
            rows = [empty if one is None else kind.row.unpack(one) for one in raw]
        else:
            rows = list(kind.row.iter_unpack(b"".join(raw)))
        _, _, events, nulls, *columns = zip(*rows, strict=True)
        if any(bits != kind.nulls for bits in nulls):
            raise ValueError("the floor knows no nulls")
        statuses = present
        if min(events) < self.oldest:
            statuses = [
                "NOT_FOUND" if not e else "PRESENT" if e >= self.oldest else "OUTSIDE_MAX_AGE"
                for e in events
            ]
        joined = '","'.join([self.texts.get(event) or self.text(event) for event in events])
        times = msgspec.Raw(f'["{joined}"]'.encode())
        for column in columns:
            if not math.isfinite(sum(filter(None, column))):
                raise ValueError("the floor knows no NaN")
        return [FloorResult(column, statuses, times) for column in columns]

    def integer(self, number: int) -> bytes:
        size = (number.bit_length() + 8) // 8 if number else 0
        return b"%d" % size + number.to_bytes(size, "little")

    def escaped(self, entity: bytes) -> bytes:
        if b"}" in entity or b"~" in entity:
            return entity.replace(b"~", b"~0").replace(b"}", b"~1")
        return entity

    def text(self, micros: int) -> str:
        seconds, rest = divmod(micros, 1_000_000)
        base = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        tail = "" if not rest else f".{rest // 1000:03d}" if not rest % 1000 else f".{rest:06d}"
        text = self.texts[micros] = f"{base}{tail}Z"
        return text


def serve_floor(url: str) -> None:
    from featureserver.listen import listen_tcp
    from featureserver.server import address_of

    sockets = [listen_tcp("127.0.0.1", 0)]
    print(address_of(sockets[0]), flush=True)
    import uvicorn

    config = uvicorn.Config(
        Floor(url), http="httptools", ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=sockets)


def serve_feast(url: str) -> None:
    """Feast's own application, as `feast serve` runs it, with one worker of uvicorn."""
    import warnings

    warnings.simplefilter("ignore")
    import uvicorn
    from feast.feature_server import get_app

    from featureserver.listen import listen_tcp
    from featureserver.server import address_of

    with tempfile.TemporaryDirectory() as folder:
        services = {kind.name: kind.view_names() for kind in KINDS}
        store = feast_store(Path(folder), url, feast_tables(), services, "INT64")
        app = get_app(store)
        sockets = [listen_tcp("127.0.0.1", 0)]
        print(address_of(sockets[0]), flush=True)
        config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="on", log_config=None, access_log=False
        )
        uvicorn.Server(config).run(sockets=sockets)


def feast_tables() -> list[FeastTable]:
    """The same views and rows as ours."""
    tables = []
    for kind in KINDS:
        for index, name in enumerate(kind.view_names()):
            features = kind.feature_names(index)
            columns: dict[str, Any] = {"id": list(range(ENTITIES))}
            for i, one in enumerate(features):
                columns[one] = [value(e, index, i) for e in range(ENTITIES)]
            columns["at"] = [event_time(e) for e in range(ENTITIES)]
            tables.append(FeastTable(name, ["id"], features, columns))
    return tables


SERVERS = {"ours": serve_ours, "floor": serve_floor, "feast": serve_feast, "fill": fill}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](sys.argv[2])
