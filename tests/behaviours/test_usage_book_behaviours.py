"""What a book of use does, in memory, on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from registry.adapters.sql.database import open_database
from registry.adapters.sql.usage import SqlUsage
from registry.ports import UsageBook, UsageRecord
from registry.testing import NOON
from registry.testing.books import InMemoryUsage


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UsageBook]:
    if request.param == "memory":
        yield InMemoryUsage()
        return
    sqlite = f"sqlite:///{tmp_path / 'registry.db'}"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database = open_database(url)
    yield SqlUsage(database, "flights")
    database.close()


def used(ref: str, caller: str = "app", requests: int = 1, hours: int = 0) -> UsageRecord:
    return UsageRecord(ref, "all", caller, requests, 10 * requests, NOON + timedelta(hours=hours))


def test_counts_of_the_same_feature_service_and_caller_add_up(book: UsageBook) -> None:
    book.add([used("v:a@1"), used("v:b@1", requests=5)])
    book.add([used("v:a@1", requests=2, hours=1)])
    assert list(book.all()) == [used("v:b@1", requests=5), used("v:a@1", requests=3, hours=1)]


def test_the_use_of_one_feature_version_is_told_by_caller(book: UsageBook) -> None:
    book.add([used("v:a@1", "x"), used("v:a@1", "y", 3), used("v:a@2", "x")])
    assert [(one.caller, one.requests) for one in book.all("v:a@1")] == [("y", 3), ("x", 1)]
    assert list(book.all("v:none@1")) == []
