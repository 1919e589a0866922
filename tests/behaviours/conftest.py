"""The stores that must behave alike: each test that asks for `store` runs on all three."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.adapters.sql.database import open_database
from registry.adapters.sql.store import SqlStore
from registry.ports import Store
from registry.testing.store import InMemoryStore


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
