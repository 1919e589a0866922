"""Row groups of Parquet files: where their rows lie, and what to say when files did not stay."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Unavailable

FILE_SHIFT = 40
"""A position is the file's number, shifted by this, and the row's number in it."""

_BUFFER_BYTES = 1 << 18  # of a file at a time: it stays in the cache until it is decoded


class LastFile(threading.local):
    """The file that a thread read last, left open: opening one takes as long as decoding a column
    of a row group. It is closed when another is opened, or with the last row group that knows it.
    """

    opened: tuple[str, Sequence[str]] | None = None
    file: pq.ParquetFile | None = None

    def open(self, name: str, metadata: pq.FileMetaData, encoded: Sequence[str]) -> pq.ParquetFile:
        """The file of this name, as this thread's own."""
        if self.file is None or self.opened != (name, encoded):
            self.file, self.opened = _open(name, metadata, encoded), (name, encoded)
        return self.file


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The `number`th row group of a file; its first row's position is `start`."""

    file: str
    metadata: pq.FileMetaData
    number: int
    start: int
    rows: int
    last: LastFile = field(default_factory=LastFile, compare=False, repr=False)

    def read(self, names: Sequence[str], encoded: Sequence[str] = ()) -> pa.Table:
        """The named columns, whole; the texts of the `encoded` ones by their dictionary."""
        file = self.last.open(self.file, self.metadata, encoded)
        return file.read_row_group(self.number, names, use_threads=False)

    def batches(
        self, names: Sequence[str], rows: int, encoded: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The named columns, so many rows at a time."""
        with _open(self.file, self.metadata, encoded) as file:
            yield from file.iter_batches(rows, [self.number], names, use_threads=False)


def _open(name: str, metadata: pq.FileMetaData, encoded: Sequence[str]) -> pq.ParquetFile:
    """A file, read a little at a time, so that memory goes with what is decoded."""
    return pq.ParquetFile(
        name,
        metadata=metadata,
        read_dictionary=list(encoded),
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
    )


def row_groups(files: Sequence[str]) -> list[RowGroup]:
    """The row groups of all files that have rows, in order of position. Raises `Unavailable`."""
    found, last = [], LastFile()
    for number, file in enumerate(files):
        metadata = _metadata(file)
        start = number << FILE_SHIFT
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if rows:
                found.append(RowGroup(file, metadata, group, start, rows, last))
            start += rows
    return found


def schemas(files: Sequence[str]) -> list[pa.Schema]:
    """The columns of each file as Arrow has them. Raises `Unavailable`."""
    return [_metadata(file).schema.to_arrow_schema() for file in files]


@contextmanager
def unchanged(files: Sequence[str]) -> Iterator[None]:
    """Raise `Unavailable` when a file was changed, replaced or removed before the end."""
    before = _identities(files)
    yield
    if _identities(files) != before:
        raise changed(f"the files of {Path(files[0]).parent.name} are not what they were")


def changed(found: str) -> Unavailable:
    """The error for files that were not left alone while they were read."""
    return Unavailable(
        "a source changed while it was being read", found, "run again when its files are complete"
    )


@contextmanager
def reading() -> Iterator[None]:
    """Turn what Arrow raises for files that are gone or other than their metadata."""
    try:
        yield
    except (OSError, pa.ArrowException, KeyError) as error:
        raise changed(str(error)) from error


def _metadata(file: str) -> pq.FileMetaData:
    with reading():
        return pq.read_metadata(file)


def _identities(files: Sequence[str]) -> list[tuple[int, int, int]]:
    try:
        found = [os.stat(file) for file in files]  # noqa: PTH116 (texts, as the engine has them)
    except OSError as error:
        raise changed(str(error)) from error
    return [(one.st_ino, one.st_size, one.st_mtime_ns) for one in found]
