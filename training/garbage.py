"""Which snapshots nothing refers to any more, and removing them. Sets are never touched."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.writer import DatasetFolder
from warehouse.marks import SnapshotMarks
from warehouse.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Garbage:
    """What was, or with a dry run would be, removed; `bytes` is the room that it took."""

    files: tuple[str, ...]
    bytes: int
    kept: int
    dry_run: bool


def referenced(folders: Iterable[DatasetFolder]) -> frozenset[str]:
    """The digests of all snapshots that a training set, or one in quarantine, is rebuilt from.

    Raises `Corrupt` when a manifest cannot be read: then nobody knows what it needs.
    """
    return frozenset(
        kept.digest
        for folder in folders
        for name in folder.names()
        for kept in folder.load(name).manifest.snapshots
    )


def collect(
    folders: Iterable[DatasetFolder], store: SnapshotStore, dry_run: bool = False
) -> Garbage:
    """Remove unreferenced snapshots and what killed builds left. Raises `Conflict` while a set is
    being built, `Corrupt` as `referenced` does; then nothing is removed."""
    known = tuple(folders)
    sizes = {path: path.stat().st_size for path in store.folder.glob("*.parquet")}
    needed: frozenset[str] = frozenset()
    abandoned: list[Path] = []

    def look() -> frozenset[str]:
        nonlocal needed
        needed = referenced(known)
        abandoned.extend(path for folder in known for path in folder.leftovers())
        for path in () if dry_run else abandoned:
            shutil.rmtree(path, ignore_errors=True)
        return needed

    removed = store.sweep(look, dry_run)
    if not dry_run:
        SnapshotMarks(store).forget_lost()
    return Garbage(
        files=tuple(str(path) for path in (*removed, *abandoned)),
        bytes=sum(sizes.get(path, 0) for path in removed),
        kept=len(needed),
        dry_run=dry_run,
    )
