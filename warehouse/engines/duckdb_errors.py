"""DuckDB's errors said as ours, the cause kept."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from registry.kernel.errors import (
    FieldhouseError,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
    nearest_names,
)


@contextmanager
def translated(asked: str, tables: Iterable[str] = ()) -> Iterator[None]:
    """Raise our error for whatever DuckDB raises inside. `asked` says what was being done."""
    try:
        yield
    except duckdb.Error as error:
        raise translate(error, asked, tables) from error


def translate(error: duckdb.Error, asked: str, tables: Iterable[str] = ()) -> FieldhouseError:
    """Our error for one of DuckDB's."""
    found = _first_lines(str(error))
    if isinstance(error, duckdb.CatalogException):
        near = ", ".join(nearest_names(_named(str(error)), tables))
        return Invalid(asked, found, f"nearest tables: {near}" if near else "")
    if isinstance(error, duckdb.PermissionException):
        return Refused(asked, found, "queries may read the tables of the warehouse, nothing else")
    if isinstance(error, duckdb.OutOfMemoryException):
        return Unavailable(asked, found, "raise warehouse.memory_limit, or ask for fewer columns")
    if isinstance(error, duckdb.InterruptException):
        return Unavailable(asked, "it took longer than it may, and was stopped")
    if isinstance(error, duckdb.IOException):
        return Unavailable(asked, found, "look whether the files are all there and readable")
    return Invalid(asked, found)


def told(reader: pa.RecordBatchReader, asked: str) -> pa.RecordBatchReader:
    """The same batches; what DuckDB raises while it makes them comes from Arrow as `OSError`s of
    its text, and is raised as our errors instead."""

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except OSError as error:
            kind = next((k for name, k in _KINDS.items() if str(error).startswith(name)), None)
            raise translate((kind or duckdb.Error)(str(error)), asked, ()) from error

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


_KINDS = {
    "INTERRUPT Error": duckdb.InterruptException,
    "IO Error": duckdb.IOException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Permission Error": duckdb.PermissionException,
}


def missing_table(name: str, tables: Iterable[str]) -> NotFound:
    return NotFound("warehouse table", name, tables)


def _first_lines(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[:2])


def _named(message: str) -> str:
    """The name in `Table with name flight does not exist!`, or nothing."""
    words = message.split("with name ", 1)
    return words[1].split(" ", 1)[0].strip('"!') if len(words) == 2 else ""
