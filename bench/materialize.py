"""Materialization against raw SETs of the same bytes, and against `feast materialize`.

100,000 entities with 20 float64 features from one Parquet table, into a redis-server of its own.
The three are interleaved; medians are of `RUNS` runs. Feast's is run less often, since it is slow.
Quality, sketches and parity are timed apart, as the report tells them.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis

from featureserver.bootstrap import open_materializer
from featureserver.materialize import Materializer
from featureserver.reports import ViewReport
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import temporary_redis
from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.settings import Settings
from registry.testing import InMemoryRegistry, feature, published, view
from registry.vocabulary import expect

ENTITIES, FEATURES, RUNS, FEAST_RUNS = 100_000, 20, 7, 2
NOW = datetime(2013, 10, 1, 12, tzinfo=UTC)
NAMES = [f"f{i:02}" for i in range(FEATURES)]
CHUNK = 10_000
DAY = 86_400.0


def run() -> dict[str, Any]:
    """The facts, with what was measured printed as it comes."""
    with tempfile.TemporaryDirectory() as folder, temporary_redis() as url:
        root = Path(folder)
        write_table(root)
        client = connect(url, 30.0)
        keys, rows = packed_bytes(client, materializer(root, client, entities()))
        ours: list[float] = []
        raw: list[float] = []
        reports: list[ViewReport] = []
        for _ in range(RUNS):
            raw.append(timed(client, lambda: set_all(client, keys, rows)))
            ours.append(timed(client, lambda: reports.append(fill(root, client))))
        theirs = [feast_seconds(root, client) for _ in range(FEAST_RUNS)]
        facts = speeds(ours, raw, theirs, reports)
    facts["load_average"] = round(os.getloadavg()[0], 1)
    for name, value in facts.items():
        print(f"   {name}: {value}")
    return facts


def entities(ttl_seconds: float | None = None, name: str = "stats") -> PublishedView:
    source = Source("stats", "table", table="stats", timestamp_field="event_timestamp")
    made = view(name, [feature(one) for one in NAMES], {"id": "int64"}, source)
    checked = (expect.not_null("id"), expect.between("f00", 0, 1))
    return replace(made, expectations=checked, ttl_seconds=ttl_seconds)


def write_table(root: Path) -> None:
    draw = np.random.default_rng(7)
    columns = {name: draw.random(ENTITIES) for name in NAMES}
    at = pa.array([NOW - timedelta(hours=1)] * ENTITIES, pa.timestamp("us", tz="UTC"))
    table = pa.table({"id": np.arange(ENTITIES), **columns, "event_timestamp": at})
    (root / "warehouse_data").mkdir()
    pq.write_table(table, root / "warehouse_data" / "stats.parquet")


def materializer(
    root: Path, client: redis.Redis, made: PublishedView, retention: float = 0.0
) -> Materializer:
    """A materializer of one view, as the command opens it."""
    table = {
        "clock": {"instant": "2013-10-01T12:00:00Z"},
        "online": {"retention_seconds": retention, "timeout_seconds": 30.0},
    }
    settings = Settings(root, None, table, {})
    return open_materializer(settings, InMemoryRegistry(published(made)), client=client)


def fill(root: Path, client: redis.Redis) -> ViewReport:
    (report,) = materializer(root, client, entities()).run(actor="bench").views
    assert (report.rows, report.differing, report.failed) == (ENTITIES, 0, False)
    return report


def packed_bytes(client: redis.Redis, made: Materializer) -> tuple[list[bytes], list[bytes]]:
    """The keys and rows that a materialization writes."""
    client.flushall()
    made.run(actor="bench")
    keys = [key for key in client.scan_iter(count=10_000) if key.startswith(b"{")]
    return keys, RedisOnlineStore(client).read(keys)  # type: ignore[return-value]


def set_all(client: redis.Redis, keys: list[bytes], rows: list[bytes]) -> None:
    """What anybody would write who has the bytes already."""
    for at in range(0, len(keys), CHUNK):
        with client.pipeline(transaction=False) as pipe:
            for key, row in zip(keys[at : at + CHUNK], rows[at : at + CHUNK], strict=True):
                pipe.set(key, row)
            pipe.execute()


def timed(client: redis.Redis, work: Callable[[], object]) -> float:
    client.flushall()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def feast_seconds(root: Path, client: redis.Redis) -> float:
    """Feast's own materialize of the same table into its Redis store."""
    with feast_store(root, client) as store:
        return timed(client, lambda: store.materialize(NOW - timedelta(days=1), NOW))


@contextmanager
def feast_store(
    root: Path, client: redis.Redis, ttl: float | None = None, name: str = "stats"
) -> Iterator[Any]:
    """A Feast store over the same Redis, by TCP: Feast's knows no Unix sockets."""
    import warnings

    warnings.simplefilter("ignore")
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.types import Float64, Int64
    from feast.value_type import ValueType

    client.config_set("port", "0")
    client.config_set("port", str(free_port()))
    port = client.config_get("port")["port"]
    online = {"type": "redis", "connection_string": f"localhost:{port}"}
    if ttl is not None:
        online["key_ttl_seconds"] = int(ttl)
    config = RepoConfig(
        project="test",  # names as long as ours: they are part of the keys
        provider="local",
        registry=str(root / f"{name}.db"),
        online_store=online,
        offline_store={"type": "dask"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    entity = Entity(name="id", join_keys=["id"], value_type=ValueType.INT64)
    path = str(root / "warehouse_data" / "stats.parquet")
    source = FileSource(path=path, timestamp_field="event_timestamp")
    fields = [Field(name="id", dtype=Int64), *(Field(name=n, dtype=Float64) for n in NAMES)]
    store.apply([entity, FeatureView(name=name, entities=[entity], schema=fields, source=source)])
    yield store


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def speeds(
    ours: list[float], raw: list[float], theirs: list[float], reports: list[ViewReport]
) -> dict[str, Any]:
    median = statistics.median
    rows = [report.seconds for report in reports]
    return {
        "rows": ENTITIES,
        "raw_set_seconds": round(median(raw), 3),
        "rows_seconds": round(median(rows), 3),
        "rows_of_raw": round(median(r / m for r, m in zip(raw, rows, strict=True)), 3),
        "whole_run_seconds": round(median(ours), 3),
        "quality_seconds": round(median(r.quality_seconds for r in reports), 3),
        "sketch_seconds": round(median(r.sketch_seconds for r in reports), 3),
        "parity_seconds": round(median(r.parity_seconds for r in reports), 3),
        "feast_seconds": round(median(theirs), 3),
        "times_feast": round(median(theirs) / median(rows), 2),
    }
