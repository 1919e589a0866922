"""Verifies a training set: builds it again from its snapshots and compares. Writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from registry.core.definitions import Source
from registry.kernel.errors import Corrupt, FieldhouseError
from training.assemble import assemble
from training.dataset import TrainingSet
from training.manifest import Manifest, SnapshotFacts
from warehouse.content import ContentHash, content_hash
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Moved:
    """A source that no longer gives what was kept of it. `now` None: it cannot be read any more."""

    source: str
    rows: int
    rows_now: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying found. `stored` and `rebuilt` are content hashes; `damaged` names what could
    not be read or is not what its name says. `moved` is None when sources were not looked at."""

    name: str
    expected: str
    stored: str | None
    rebuilt: str | None
    damaged: tuple[str, ...] = ()
    moved: tuple[Moved, ...] | None = None

    @property
    def ok(self) -> bool:
        """Whether stored and rebuilt data are exactly what the manifest says."""
        return not self.damaged and self.stored == self.expected == self.rebuilt


def verify_set(
    made: TrainingSet, engine: Engine, store: SnapshotStore, live: bool = False
) -> Verification:
    """Compare the stored data, and the data rebuilt from snapshots, with the manifest's hash."""
    damaged = list(_damaged_snapshots(made.manifest, store))
    rebuilt = None if damaged else _rebuild(made.manifest, engine, store)
    try:
        stored = content_hash(made.to_arrow().to_reader())
    except Corrupt as error:
        stored, damaged = None, [*damaged, error.asked]
    return Verification(
        name=made.name,
        expected=made.manifest.content_hash,
        stored=stored,
        rebuilt=rebuilt,
        damaged=tuple(damaged),
        moved=tuple(moved_sources(made.manifest, engine)) if live else None,
    )


def moved_sources(manifest: Manifest, engine: Engine) -> Iterator[Moved]:
    """The sources that give something else now. A query is run again for it."""
    for kept in manifest.snapshots:
        if kept.source is None:
            continue
        try:
            digest, rows = _read_now(kept.source, kept.columns, engine)
        except FieldhouseError as error:
            yield Moved(kept.of, kept.rows, None, str(error).replace("\n", ";"))
            continue
        if digest != kept.digest:
            change = rows - kept.rows
            reason = f"{change:+d} rows" if change else "the same number of rows, other content"
            yield Moved(kept.of, kept.rows, rows, reason)


def _rebuild(manifest: Manifest, engine: Engine, store: SnapshotStore) -> str:
    pinned = engine.pinned(
        {
            kept.source: store.find(kept.digest).path
            for kept in manifest.snapshots
            if kept.source is not None
        }
    )
    spine: pa.Table = store.read(manifest.spine.digest)
    return content_hash(assemble(spine, manifest.recipe, pinned).table.to_reader())


def _damaged_snapshots(manifest: Manifest, store: SnapshotStore) -> Iterator[str]:
    for kept in manifest.snapshots:
        reason = _damage(kept, store)
        if reason:
            yield f"snapshot of {kept.of}: {reason}"


def _damage(kept: SnapshotFacts, store: SnapshotStore) -> str:
    try:
        table = store.read(kept.digest)
    except FieldhouseError as error:
        return error.asked
    except (OSError, pa.ArrowInvalid) as error:
        return str(error)
    return "" if content_hash(table.to_reader()) == kept.digest else "its content is another"


def _read_now(source: Source, columns: tuple[str, ...], engine: Engine) -> tuple[str, int]:
    with engine.read(source, columns) as reader:
        content = ContentHash(reader.schema)
        for batch in reader:
            content.update(batch)
    return content.digest(), content.rows
