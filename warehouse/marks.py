"""Remembers which snapshot a source gave when it bore a mark, so that it is not read again.

A mark is the engine's word that a source has not changed (`Engine.mark`). It is believed only for a
snapshot file that is still the one that was written. The folder may be deleted at any time.
"""

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.kernel.canonical import digest
from warehouse.snapshots import Snapshot, SnapshotStore

FOLDER = "marks"


@dataclass(frozen=True, slots=True)
class SnapshotMarks:
    """Marks of the snapshots in one store, in a folder of it."""

    store: SnapshotStore

    def find(self, mark: str, what: Any) -> Snapshot | None:
        """The snapshot taken of `what` (plain data: the source and its columns) when it bore the
        mark; None when none is known, or its file is gone or another."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(self._path(mark, what).read_bytes())
            snapshot = Snapshot(known["digest"], known["rows"], self.store.path(known["digest"]))
            if known["file"] == _identity(snapshot.path):
                return snapshot
        return None

    def note(self, mark: str, what: Any, snapshot: Snapshot) -> None:
        """Remember a snapshot; a disk that does not take the note is no loss."""
        with suppress(OSError):
            facts = {
                "digest": snapshot.digest,
                "rows": snapshot.rows,
                "file": _identity(snapshot.path),
            }
            path = self._path(mark, what)
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps(facts))
            if self.store.fresh is not None:
                self.store.fresh.append(path)  # a build that fails takes its notes with it

    def forget_lost(self) -> None:
        """Remove the notes of snapshots that are gone."""
        for path in self._folder.glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                if self.store.path(json.loads(path.read_bytes())["digest"]).exists():
                    continue
            path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.store.folder / FOLDER

    def _path(self, mark: str, what: Any) -> Path:
        return self._folder / f"{digest([mark, what]).removeprefix('sha256:')}.json"


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_ino, found.st_mtime_ns]


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
