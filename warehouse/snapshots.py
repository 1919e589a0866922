"""Snapshots: Parquet files named by the hash of what they hold. Written once, never changed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.canonical import short
from registry.kernel.errors import NotFound, Unavailable
from warehouse.content import ContentHash, content_hash

__all__ = ["Snapshot", "SnapshotStore", "content_hash"]

ROW_GROUP_ROWS = 122_880


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One kept table: `digest` is its content hash."""

    digest: str
    rows: int
    path: Path


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """A folder of snapshots. The same content is kept once, whoever asks."""

    folder: Path

    def keep(self, reader: pa.RecordBatchReader) -> Snapshot:
        """Write what `reader` gives, batch by batch; a stopped write leaves nothing behind.

        Raises `Unavailable` when the disk does not take it.
        """
        content = ContentHash(reader.schema)
        with self._new_file() as file:
            with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    content.update(batch)
                    writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
            digest = content.digest()
            path = self._path(digest)
            if not path.exists():
                file.replace(path)
        return Snapshot(digest, content.rows, path)

    def find(self, digest: str) -> Snapshot:
        """The snapshot of that digest; raises `NotFound` when it is not (or no longer) here."""
        path = self._path(digest)
        if not path.is_file():
            raise NotFound("snapshot", short(digest), hint=f"looked in {self.folder}")
        return Snapshot(digest, pq.read_metadata(path).num_rows, path)

    def read(self, digest: str) -> pa.Table:
        """The kept rows, with the schema they were written with."""
        return pq.read_table(self.find(digest).path)

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest.removeprefix('sha256:')}.parquet"

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".new-", suffix=".parquet")
        os.close(handle)
        try:
            yield Path(name)
        except OSError as error:
            raise Unavailable(
                f"cannot write a snapshot in {self.folder}", str(error), "free some disk space"
            ) from error
        finally:
            Path(name).unlink(missing_ok=True)
