"""Builders for tests that need a warehouse: engines over tables, instants of a small calendar."""

import itertools
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.core.definitions import Source
from registry.kernel.settings import Settings, read_settings
from warehouse.bootstrap import open_engine
from warehouse.engines.port import Engine
from warehouse.testing import InMemoryEngine

START = datetime(2013, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
_numbers = itertools.count()


def hour(number: float) -> datetime:
    """The instant that many hours after the start of the tests' calendar."""
    return START + timedelta(hours=number)


def hours(*numbers: float | None) -> pa.Array:
    """Instants, null for None."""
    return pa.array([None if n is None else hour(n) for n in numbers], INSTANT)


def project(folder: Path, text: str = "", **environ: str) -> Settings:
    """Settings of a project in `folder` whose fieldhouse.toml is `text`."""
    (folder / "fieldhouse.toml").write_text(text)
    return read_settings(folder, environ)


def put_tables(folder: Path, tables: Mapping[str, pa.Table], row_group_size: int = 7) -> None:
    """Write tables where a project's warehouse looks for them."""
    root = folder / "warehouse_data"
    root.mkdir(exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, root / f"{name}.parquet", row_group_size=row_group_size)


def duckdb_engine(folder: Path, tables: Mapping[str, pa.Table], zone: str = "UTC") -> Engine:
    """DuckDB over the tables, written under a new folder below `folder`."""
    place = folder / f"warehouse-{next(_numbers)}"
    place.mkdir(parents=True)
    put_tables(place, tables)
    return open_engine(project(place, f'[warehouse]\ntime_zone = "{zone}"\n'))


def memory_engine(folder: Path, tables: Mapping[str, pa.Table], zone: str = "UTC") -> Engine:
    """The slow twin over the same tables; `folder` is not used."""
    return InMemoryEngine(tables, zone)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow past `size` bytes in here: writing fails as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def source(
    name: str, created: bool = False, mapping: Mapping[str, str] | None = None, **changes: object
) -> Source:
    """A table source with event time `at` and, if asked, created time `known_at`."""
    facts: dict[str, object] = {
        "name": name,
        "kind": "table",
        "table": name,
        "timestamp_field": "at",
        "created_field": "known_at" if created else None,
        "field_mapping": tuple((mapping or {}).items()),
    }
    return Source(**{**facts, **changes})  # type: ignore[arg-type]
