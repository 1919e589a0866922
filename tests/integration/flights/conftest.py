"""The flights example as its tests need it: the real warehouse, and the repository's queries."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

from fieldhouse.demo.event_times import TABLES
from fieldhouse.demo.flights import build_warehouse

REPOSITORY = Path(__file__).parents[3] / "feature_repo"


@pytest.fixture(scope="session")
def flights_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole warehouse, built from the installed data package."""
    root = tmp_path_factory.mktemp("flights") / "warehouse"
    build_warehouse(root)
    return root


@pytest.fixture(scope="session")
def flights_database(flights_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection over the whole warehouse; the session's zone is not UTC on purpose."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        for table in TABLES:
            path = flights_root / f"{table}.parquet"
            connection.execute(f"CREATE VIEW {table} AS FROM read_parquet('{path}')")
        yield connection


@pytest.fixture(scope="session")
def flights_queries() -> Mapping[str, str]:
    """The query of every `SqlSource` by the source's name, read without running the files."""
    found = {}
    for file in sorted(REPOSITORY.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "SqlSource":
                arguments = {k.arg: k.value for k in node.keywords}
                name = ast.literal_eval(arguments["name"])
                found[name] = ast.literal_eval(arguments["query"])
    return found
