"""Rows added to a table of the warehouse: one Parquet file an addition, there whole or not at all.

Files are named by the caller, so that adding the same rows again changes nothing. Nothing that is
there is ever rewritten.
"""

import os
import re
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Invalid, NotFound, Refused, Unavailable
from warehouse.catalog import Catalog

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def append(catalog: Catalog, table: str, rows: pa.Table, name: str) -> bool:
    """Add `rows` to a table as the file `name`.parquet; False when that is there already.

    A table that is one file under the root becomes a folder that holds it. Columns are cast to the
    table's types; those that are missing are null. Raises `Invalid` for a column or value that the
    table cannot take, `Refused` when the settings fix the table to files that an added one would
    not be among, `Unavailable` when the disk does not take it.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} cannot name a file of added rows", hint="use A-Z, a-z, 0-9, - and _"
        )
    path = _folder(catalog, table) / f"{name}.parquet"
    if table in catalog.named and not _is_among(path, catalog.named[table]):
        raise Refused(
            f"rows cannot be added to table {table!r}",
            f"the settings say that it is {catalog.named[table]}",
            "name a folder or a pattern such as data/*.parquet in [warehouse.tables]",
        )
    if path.exists():
        return False
    ready = fitted(rows, _schema(catalog, table), table)
    _write(ready, path)
    return True


def _folder(catalog: Catalog, table: str) -> Path:
    """Where the table's files lie; a single file under the root is moved into a folder first."""
    if table in catalog.named:
        named = catalog.named[table]
        return named if named.is_dir() else named.parent
    folder, single = catalog.root / table, catalog.root / f"{table}.parquet"
    if single.is_file():
        folder.mkdir(exist_ok=True)
        single.replace(folder / "whole.parquet")  # readers find the one or the other
    return folder


def _is_among(path: Path, pattern: Path) -> bool:
    return pattern.is_dir() or path.match(str(pattern))


def _schema(catalog: Catalog, table: str) -> pa.Schema | None:
    try:
        return pq.read_schema(catalog.files(table)[0])
    except (NotFound, Unavailable):
        return None


def fitted(rows: pa.Table, schema: pa.Schema | None, table: str) -> pa.Table:
    """The rows with the table's columns and types, those that are missing null; as they are where
    there is no table yet. Raises `Invalid` for a column or value that the table cannot take."""
    if schema is None:
        return rows
    unknown = [name for name in rows.column_names if name not in schema.names]
    if unknown:
        raise Invalid(
            f"table {table!r} has no column {', '.join(unknown)}",
            f"its columns: {', '.join(schema.names)}",
        )
    columns = [
        _cast(rows.column(field.name), field, table)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema.remove_metadata())


def _cast(column: pa.ChunkedArray, field: pa.Field, table: str) -> pa.ChunkedArray:
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Invalid(
            f"column {field.name!r} of table {table!r} is {field.type}, not {column.type}",
            str(error),
        ) from error


def _write(rows: pa.Table, path: Path) -> None:
    handle = name = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            pq.write_table(rows, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # what reads the warehouse may run as somebody else
        Path(name).replace(path)
    except OSError as error:
        raise Unavailable(
            f"cannot write {path}", str(error), "free some disk space, or make the folder writable"
        ) from error
    finally:
        if name is not None:
            Path(name).unlink(missing_ok=True)
