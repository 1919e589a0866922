"""Values of source rows fetched from Parquet by position, column by column. Knows no SQL.

Row groups that hold none of the wanted rows are not read, and of the others a part at a time, so
that memory goes with what is wanted and not with what lies there.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Unavailable
from registry.kernel.types import arrow_type
from warehouse.engines.arrays import arrow_of, int64s, numpy_of
from warehouse.engines.slots import Int64s
from warehouse.history import HistoryColumn

FILE_SHIFT = 40
"""A position is the file's number, shifted by this, and the row's number in it."""

_PART_ROWS = 131_072
_BUFFER_BYTES = 1 << 20
_SMALL_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group and the rows wanted of it, counted from its first."""

    file: str
    metadata: pq.FileMetaData
    number: int
    rows: Int64s


@contextmanager
def unchanged(files: Sequence[str]) -> Iterator[None]:
    """Raise `Unavailable` when a file was changed, replaced or removed before the end."""
    before = _identities(files)
    yield
    if _identities(files) != before:
        raise changed(f"the files of {Path(files[0]).parent.name} are not what they were")


def _identities(files: Sequence[str]) -> list[tuple[int, int, int]]:
    try:
        found = [os.stat(file) for file in files]  # noqa: PTH116 (texts, as the engine has them)
    except OSError as error:
        raise changed(str(error)) from error
    return [(one.st_ino, one.st_size, one.st_mtime_ns) for one in found]


def can_fetch(files: Sequence[str], columns: Sequence[HistoryColumn]) -> list[HistoryColumn]:
    """The columns whose stored type means in Arrow what it means to the engine, in all files."""
    schemas = [_schema(file) for file in files]
    return [c for c in columns if all(_plain(schema, c) for schema in schemas)]


def fetch_columns(
    files: Sequence[str], columns: Sequence[HistoryColumn], positions: Int64s, pool: Executor
) -> list[pa.ChunkedArray]:
    """Each column's values at `positions` (ascending), of its declared type.

    Raises `Unavailable` when a file is gone or is no longer what it was.
    """
    names = list(dict.fromkeys(column.source_column for column in columns))
    groups = list(_wanted_groups(files, positions))
    try:
        parts = list(chain.from_iterable(pool.map(lambda group: _read(group, names), groups)))
    except (OSError, pa.ArrowException, KeyError) as error:
        raise changed(str(error)) from error
    if not parts:
        return [pa.chunked_array([], arrow_type(column.dtype)) for column in columns]
    found = {name: [part.column(name) for part in parts] for name in names}
    return [
        pa.chunked_array([piece.cast(arrow_type(c.dtype)) for piece in found[c.source_column]])
        for c in columns
    ]


def changed(found: str) -> Unavailable:
    """The error for files that were not left alone while they were read."""
    return Unavailable(
        "a source changed while it was being read", found, "run again when its files are complete"
    )


def _schema(file: str) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except (OSError, pa.ArrowException) as error:
        raise changed(str(error)) from error


def _plain(schema: pa.Schema, column: HistoryColumn) -> bool:
    if schema.names.count(column.source_column) != 1:
        return False
    stored, wanted = schema.field(column.source_column).type, arrow_type(column.dtype)
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    text = pa.types.is_string(stored) or pa.types.is_large_string(stored)
    if stored == wanted or (text and column.dtype == "string"):
        return True
    return _widens(stored, wanted)


def _widens(stored: pa.DataType, wanted: pa.DataType) -> bool:
    whole = pa.types.is_signed_integer(stored) and pa.types.is_signed_integer(wanted)
    if whole or (pa.types.is_floating(stored) and pa.types.is_floating(wanted)):
        return bool(stored.bit_width <= wanted.bit_width)
    return False


def _wanted_groups(files: Sequence[str], positions: Int64s) -> Iterator[_Group]:
    for number, file in enumerate(files):
        start, end = np.searchsorted(positions, [number << FILE_SHIFT, (number + 1) << FILE_SHIFT])
        if start < end:
            yield from _groups_of(file, positions[start:end] - (number << FILE_SHIFT))


def _groups_of(file: str, rows: Int64s) -> Iterator[_Group]:
    try:
        metadata = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise changed(str(error)) from error
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    edges = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    if rows[-1] >= edges[-1]:
        raise changed(f"{Path(file).name} has only {edges[-1]} rows now")
    bounds = np.searchsorted(rows, edges)
    for group, (start, end) in enumerate(pairwise(bounds)):
        if start < end:
            yield _Group(file, metadata, group, rows[start:end] - edges[group])


def _read(group: _Group, columns: list[str]) -> list[pa.RecordBatch]:
    """The wanted rows of a row group, in parts."""
    found, start = [], 0
    small = group.metadata.row_group(group.number).total_byte_size <= _SMALL_BYTES
    buffer = 0 if small else _BUFFER_BYTES
    with pq.ParquetFile(
        group.file, metadata=group.metadata, pre_buffer=False, buffer_size=buffer
    ) as file:
        for batch in _parts(file, group, columns, small):
            low, high = np.searchsorted(group.rows, [start, start + batch.num_rows])
            if low < high:
                found.append(_take(batch, group.rows[low:high] - start))
            start += batch.num_rows
    return found


def _parts(
    file: pq.ParquetFile, group: _Group, columns: list[str], small: bool
) -> Iterator[pa.RecordBatch]:
    """A small row group at once, which is faster; a large one some rows at a time."""
    if small:
        yield from file.read_row_group(group.number, columns, use_threads=False).to_batches()
        return
    yield from file.iter_batches(_PART_ROWS, [group.number], columns, use_threads=False)


def _take(batch: pa.RecordBatch, rows: Int64s) -> pa.RecordBatch:
    """Some rows of a batch; numbers without nulls by numpy, which needs half the time for them."""
    places = int64s(rows)
    arrays = [
        arrow_of(numpy_of(column)[rows], column.type)
        if not column.null_count and _is_number(column.type)
        else column.take(places)
        for column in batch.columns
    ]
    return pa.record_batch(arrays, names=batch.schema.names)


def _is_number(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_integer(arrow) or pa.types.is_floating(arrow))
