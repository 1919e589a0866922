"""Snapshots: Parquet files named by the hash of what they hold. Written once, never changed.

Whoever builds something that will refer to snapshots says so with `building`; only while nobody
does can `sweep` remove those that nothing refers to.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.canonical import short
from registry.kernel.errors import Conflict, FieldhouseError, NotFound, Unavailable
from warehouse.batches import tables_of
from warehouse.content import ContentHash, content_hash

__all__ = ["Snapshot", "SnapshotStore", "content_hash"]

ROW_GROUP_ROWS = 122_880
_LOCK = ".building"
_NEW = ".new-"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One kept table: `digest` is its content hash."""

    digest: str
    rows: int
    path: Path


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """A folder of snapshots. The same content is kept once, whoever asks.

    `fresh` lists what a build has written so far; None outside of one.
    """

    folder: Path
    fresh: list[Path] | None = None

    def keep(self, reader: pa.RecordBatchReader) -> Snapshot:
        """Write what `reader` gives, batch by batch; a stopped write leaves nothing behind.

        Raises `Unavailable` when the disk does not take it.
        """
        content = ContentHash(reader.schema)
        with self._new_file() as file:
            with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
                for table in tables_of(reader, ROW_GROUP_ROWS):
                    for batch in table.to_batches():
                        content.update(batch)
                    writer.write_table(table)
            digest = content.digest()
            path = self.path(digest)
            if not self._has(path, content.rows):
                self._place(file, path)
        return Snapshot(digest, content.rows, path)

    def find(self, digest: str) -> Snapshot:
        """The snapshot of that digest; raises `NotFound` when it is not (or no longer) here."""
        path = self.path(digest)
        if not path.is_file():
            raise NotFound("snapshot", short(digest), hint=f"looked in {self.folder}")
        return Snapshot(digest, pq.read_metadata(path).num_rows, path)

    def read(self, digest: str) -> pa.Table:
        """The kept rows, with the schema they were written with."""
        return pq.read_table(self.find(digest).path)

    @contextmanager
    def building(self, referenced: Callable[[], Collection[str]]) -> Iterator["SnapshotStore"]:
        """This store, from which nothing is swept until the end. What a block that fails has
        written goes again, unless somebody else's build may count on it or `referenced`, the
        digests that something refers to, names it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            store = replace(self, fresh=[])
            try:
                yield store
            except BaseException:
                if store.fresh and _alone(lock):
                    with suppress(FieldhouseError):  # then they wait for a sweep
                        store._drop(store.fresh, referenced())
                raise

    def sweep(self, referenced: Callable[[], Collection[str]], dry_run: bool = False) -> list[Path]:
        """Remove the snapshots that nothing refers to, and what killed writers left; give their
        paths. Raises `Conflict` while something is being built."""
        if not self.folder.is_dir():
            return []
        with (self.folder / _LOCK).open("a") as lock:
            if not _alone(lock):
                raise Conflict(
                    "cannot remove snapshots now",
                    "a training set is being built, which may need them",
                    "try again when it is done",
                )
            loose = self._unreferenced(self.folder.glob("*.parquet"), referenced())
            paths = sorted([*loose, *self.folder.glob(f"{_NEW}*")])
            for path in () if dry_run else paths:
                path.unlink(missing_ok=True)
        return paths

    def _has(self, path: Path, rows: int) -> bool:
        """Whether a snapshot is there and, by its end, whole. One cut short is written again."""
        try:
            return bool(pq.read_metadata(path).num_rows == rows)
        except (OSError, pa.ArrowInvalid):
            path.unlink(missing_ok=True)
            return False

    def _place(self, file: Path, path: Path) -> None:
        """Put a file in its place, unless somebody else just did: it may be being read."""
        with suppress(FileExistsError):
            path.hardlink_to(file)
            if self.fresh is not None:
                self.fresh.append(path)

    def _drop(self, paths: Collection[Path], referenced: Collection[str]) -> None:
        for path in self._unreferenced(paths, referenced):
            path.unlink(missing_ok=True)

    def _unreferenced(
        self, paths: "Collection[Path] | Iterator[Path]", referenced: Collection[str]
    ) -> list[Path]:
        kept = {self.path(digest) for digest in referenced}
        return [path for path in paths if path not in kept and not path.name.startswith(_NEW)]

    def path(self, digest: str) -> Path:
        """Where the snapshot of that digest lies, if it is here."""
        return self.folder / f"{digest.removeprefix('sha256:')}.parquet"

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=_NEW, suffix=".parquet")
        os.close(handle)
        try:
            yield Path(name)
        except OSError as error:
            raise Unavailable(
                f"cannot write a snapshot in {self.folder}", str(error), "free some disk space"
            ) from error
        finally:
            Path(name).unlink(missing_ok=True)


def _alone(lock: IO[str]) -> bool:
    """Whether nobody else builds; then nobody can begin to while the file is open."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
