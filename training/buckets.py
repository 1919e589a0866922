"""Rows in memory while they are few, else in a file, divided by what some of their columns say.

Rows that are equal in those columns are in one bucket, so that each bucket can be looked at alone.
"""

import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.errors import Unavailable
from training.moved import plain_column

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: spreads neighbours apart
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


class Bucketed:
    """One heap of rows, of which no more than about `most_bytes` are in memory; past that, they lie
    by the columns `by` in `count` buckets of a file that has no name: it goes when it is closed, or
    whoever holds it ends. It lies on the disk of an existing `folder`."""

    def __init__(
        self, folder: Path, schema: pa.Schema, by: Sequence[str], count: int, most_bytes: int
    ) -> None:
        self._file: IO[bytes] | None = None
        self._places: dict[int, list[int]] = defaultdict(list)
        self._folder, self._schema, self._by = folder, schema, list(by)
        self._count, self._most = count, most_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows in; raises `Unavailable` when the disk does not take them."""
        self._waiting.append(batch)
        self._held += batch.nbytes
        if self._held > self._most:
            self.spill()

    @property
    def spilled(self) -> bool:
        return self._file is not None

    @property
    def numbers(self) -> set[int]:
        """The buckets that hold spilled rows."""
        return set(self._places)

    def spill(self) -> None:
        """Write what is in memory to the file."""
        table = self.whole()
        self._waiting, self._held = [], 0
        bucket = bucket_of([table.column(name) for name in self._by], table.num_rows, self._count)
        order = np.argsort(bucket, kind="stable")
        ends = np.searchsorted(bucket[order], np.arange(self._count + 1))
        table = table.take(pa.array(order))
        with _writing(self._folder):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (see close)
            for number in np.flatnonzero(np.diff(ends)).tolist():
                part = table.slice(ends[number], ends[number + 1] - ends[number])
                self._places[number].append(self._file.seek(0, 2))
                with pa.ipc.new_stream(self._file, self._schema, options=_COMPRESSED) as writer:
                    writer.write_table(part)
            self._file.flush()

    def whole(self) -> pa.Table:
        """The rows in memory: all of them, unless some were spilled."""
        return pa.Table.from_batches(self._waiting, self._schema)

    def bucket(self, number: int) -> pa.Table:
        """The spilled rows of one bucket, in the order in which they came."""
        return pa.Table.from_batches(self._read(number), self._schema)

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take is told by `spill`
                self._file.close()

    def _read(self, number: int) -> Iterator[pa.RecordBatch]:
        for place in self._places.get(number, ()):
            assert self._file is not None
            self._file.seek(place)
            with pa.ipc.open_stream(self._file) as reader:
                yield from reader


def bucket_of(columns: Iterable[pa.ChunkedArray], rows: int, count: int) -> Numbers:
    """For each row a number below `count`, the same for rows that `training.moved` holds for equal
    in the columns."""
    mixed = np.zeros(rows, dtype=np.uint64)
    for column in columns:
        mixed = (mixed ^ _hashes(plain_column(column))) * _MIX
        mixed ^= mixed >> np.uint64(32)
    return (mixed % np.uint64(count)).astype(np.int64)


def _hashes(column: pa.ChunkedArray) -> Hashes:
    if pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
        whole = column.cast(pa.int64(), safe=False).fill_null(0)
        ticks: Hashes = whole.to_numpy().view(np.uint64)
        return ticks
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    known = [zlib.crc32(repr(value).encode()) for value in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    hashes: Hashes = np.array(known or [0], dtype=np.uint64)[codes]
    return hashes


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"cannot lay rows aside in {folder}", str(error), "free some disk space"
        ) from error
