"""Sources evaluated once a run: a query's rows in a Parquet file that every question then reads.

Copies lie in a folder of their own under the home and are gone when the run ends, however it ends:
what a killed run left is removed by the next.
"""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from featureserver.offline import Offline
from registry.core.definitions import Source
from registry.core.published import PublishedView

_LOCK = ".running"


class SourceCopies:
    """Engines by view, each reading the view's query from a copy. Safe to use from threads."""

    def __init__(self, engine: Offline, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._lock = threading.Lock()
        self._busy: dict[Source, threading.Lock] = {}
        self._files: dict[Source, Path] = {}
        self._marks: dict[Source, str | None] = {}

    def engine_for(self, view: PublishedView) -> Offline:
        """An engine that answers for the view without running its query again.

        What the run checked, wrote and compared is then one and the same content.
        """
        source = view.source.history
        if source.kind != "sql" and not view.expectations:
            return self._engine
        return self._engine.pinned({source: self.file_of(source)})

    def mark_of(self, source: Source) -> str | None:
        """What stands for the content of this run's copy; None when nobody can tell."""
        self.file_of(source)
        return self._marks[source]

    def file_of(self, source: Source) -> Path:
        """The Parquet file that holds what the source gave in this run."""
        with self._lock:
            busy = self._busy.setdefault(source, threading.Lock())
        with busy:
            if source not in self._files:
                before = self._engine.mark(source)
                self._files[source] = self._copy(source)
                same = before == self._engine.mark(source)
                self._marks[source] = before if same else None
        return self._files[source]

    def _copy(self, source: Source) -> Path:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".parquet")
        os.close(handle)
        path = Path(name)
        with (
            self._engine.read(source) as batches,
            pq.ParquetWriter(path, batches.schema, compression="lz4") as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        return path


@contextmanager
def source_copies(engine: Offline, home: Path | None) -> Iterator[SourceCopies]:
    """Copies that last as long as this. `home` None puts them where temporary files go."""
    base = None if home is None else home / "copies"
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
        _sweep(base)
    folder = Path(tempfile.mkdtemp(dir=base, prefix="run-"))
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield SourceCopies(engine, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    """Remove the folders of runs that are no more: the system let go of their locks."""
    for folder in base.glob("run-*"):
        lock = folder / _LOCK
        if lock.is_file() and _abandoned(lock):
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(lock: Path) -> bool:
    try:
        with lock.open("r") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
