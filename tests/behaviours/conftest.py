"""What must behave alike: each test that asks for `store` runs on all three stores, each that asks
for `make` on all engines."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from registry.adapters.sql.database import open_database
from registry.adapters.sql.store import SqlStore
from registry.ports import Store
from registry.testing.store import InMemoryStore
from tests.plain_engine import ENGINES, Make
from warehouse.engines.port import Engine


@pytest.fixture(params=list(ENGINES))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes an engine over tables: `make(zone, name=table, …)`."""

    def engine(zone: str = "UTC", **tables: pa.Table) -> Engine:
        return ENGINES[request.param](tmp_path, tables, zone)

    return engine


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield InMemoryStore()
        return
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = open_database(url)
    yield SqlStore(database)
    database.close()
