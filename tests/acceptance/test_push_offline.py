"""Pushes over HTTP and from Python that reach the warehouse: real Redis, DuckDB, SQL registry."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fieldhouse
from featureserver.hosting import host_app
from featureserver.testing import temporary_redis
from registry.core.definitions import Source
from registry.kernel.errors import Unauthorized
from registry.kernel.settings import read_settings
from registry.ports import Principal
from registry.testing import NOON, InMemoryRegistry, feature, published, view
from warehouse.bootstrap import open_engine

BATCH = Source("rides", "table", table="rides", timestamp_field="at", created_field="made")
LIVE = view(
    "live",
    [feature("rate")],
    {"driver": "string"},
    source=Source("rides_push", "push", batch=BATCH),
)
FRAME = {"driver": ["a"], "rate": [0.5], "event_timestamp": ["2013-10-01T11:30:00Z"]}
OPERATOR = {"Authorization": "Bearer op"}


@pytest.fixture
def settings(tmp_path):
    instant = pa.timestamp("us", tz="UTC")
    at = pa.array([NOON - timedelta(hours=1)], instant)
    rides = pa.table({"driver": ["a"], "rate": [0.1], "at": at, "made": at})
    (tmp_path / "warehouse_data").mkdir()
    pq.write_table(rides, tmp_path / "warehouse_data" / "rides.parquet")
    with temporary_redis() as url:
        text = f'[online]\nurl = "{url}"\n[clock]\ninstant = "2013-10-01T12:00:00Z"\n'
        (tmp_path / "fieldhouse.toml").write_text(text)
        yield read_settings(tmp_path, {})


@pytest.fixture
def registry():
    operator = Principal("robot", frozenset({"operator"}), bot=True)
    return InMemoryRegistry(published(LIVE), {"op": operator})


def rates(settings):
    """Every rate that the warehouse has, rising."""
    table = open_engine(settings).query("SELECT rate FROM rides ORDER BY rate")
    return table.column("rate").to_pylist()


@asynccontextmanager
async def alive(app):
    """The application as a server runs it: begun before the first request, ended after the last."""
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[object] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan"}, events.get, said.put))
    await events.put({"type": "lifespan.startup"})
    await said.get()
    yield
    await events.put({"type": "lifespan.shutdown"})
    await running


async def post(app, path, body):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.post(path, json=body, headers=OPERATOR)


def test_a_push_to_both_is_looked_up_and_joined_and_repeating_it_changes_neither(
    settings, registry
):
    body = {"push_source_name": "rides_push", "df": FRAME, "to": "online_and_offline"}
    asked = {"features": ["live:rate"], "entities": {"driver": ["a"]}}

    async def talk(app):
        async with alive(app):
            for _ in range(2):
                assert (await post(app, "/push", body)).status_code == 200
            wrong = {**body, "df": {**FRAME, "rate": ["x"]}}
            assert (await post(app, "/push", wrong)).status_code == 422
            return (await post(app, "/get-online-features", asked)).json()

    with host_app(settings, registry) as app:
        found = asyncio.run(talk(app))
    assert found["results"][1]["values"] == [0.5]
    assert rates(settings) == [0.1, 0.5]


def test_python_pushes_with_an_operators_token_alone(settings, registry, monkeypatch):
    monkeypatch.setattr("registry.bootstrap.open_registry", lambda settings: registry)
    rows = pa.table({**FRAME, "event_timestamp": pa.array([NOON])})
    with pytest.raises(Unauthorized):
        fieldhouse.push("rides_push", rows, folder=settings.root)
    report = fieldhouse.push("rides_push", rows, to="offline", token="op", folder=settings.root)
    assert (report.rows, report.written, report.added) == (1, 0, 1)
    assert rates(settings) == [0.1, 0.5]
    again = fieldhouse.push("rides_push", rows, to="offline", token="op", folder=settings.root)
    assert again.added == 0
    more = rows.to_pandas().assign(rate=[0.7])
    fieldhouse.push("rides_push", more, to="offline", token="op", folder=settings.root)
    assert rates(settings) == [0.1, 0.5, 0.7]
