"""Verifies a training set: builds it again from its snapshots and compares. Writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from registry.kernel.errors import Corrupt, FieldhouseError
from training.dataset import TrainingSet
from training.live import Live, look_live
from training.manifest import Manifest, SnapshotFacts
from training.stream import join_batches, read_batches, rows_at_once
from warehouse.content import ContentHash, content_hash
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying found. `stored` and `rebuilt` are content hashes; `damaged` names what could
    not be read or is not what its name says. `live` is None when sources were not looked at."""

    name: str
    expected: str
    stored: str | None
    rebuilt: str | None
    damaged: tuple[str, ...] = ()
    live: Live | None = None

    @property
    def ok(self) -> bool:
        """Whether stored and rebuilt data are exactly what the manifest says."""
        return not self.damaged and self.stored == self.expected == self.rebuilt


def verify_set(
    made: TrainingSet,
    engine: Engine,
    store: SnapshotStore,
    batch_bytes: int,
    live: bool = False,
    registered: str | None = None,
) -> Verification:
    """Compare the stored data, and the data rebuilt from snapshots, with the manifest's hash, and
    the manifest with the digest that the registry knows it by, if it does. Data are read and
    rebuilt in batches of about `batch_bytes`."""
    damaged = list(_damaged_snapshots(made.manifest, store))
    rebuilt = None if damaged else _rebuild(made.manifest, engine, store, batch_bytes)
    if registered not in (None, made.digest):
        damaged.insert(0, f"the registry knows another manifest, {registered}")
    try:
        stored = _stored(made)
    except Corrupt as error:
        stored, damaged = None, [*damaged, error.asked]
    return Verification(
        name=made.name,
        expected=made.manifest.content_hash,
        stored=stored,
        rebuilt=rebuilt,
        damaged=tuple(damaged),
        live=look_live(made, engine, store, batch_bytes) if live else None,
    )


def _stored(made: TrainingSet) -> str:
    return content_hash(made.batches(), made.schema)


def _rebuild(manifest: Manifest, engine: Engine, store: SnapshotStore, batch_bytes: int) -> str:
    pinned = engine.pinned(
        {
            kept.source: store.find(kept.digest).path
            for kept in manifest.snapshots
            if kept.source is not None
        }
    )
    content: ContentHash | None = None
    with read_batches(store.find(manifest.spine.digest).path) as spine:
        rows = rows_at_once(manifest.recipe, spine.schema, batch_bytes)
        for made in join_batches(spine, manifest.recipe, pinned, rows):
            content = content or ContentHash(made.table.schema)
            for batch in made.table.to_batches():
                content.update(batch)
    return content.digest() if content else ""


def _damaged_snapshots(manifest: Manifest, store: SnapshotStore) -> Iterator[str]:
    for kept in manifest.snapshots:
        reason = _damage(kept, store)
        if reason:
            yield f"snapshot of {kept.of}: {reason}"


def _damage(kept: SnapshotFacts, store: SnapshotStore) -> str:
    try:
        with read_batches(store.find(kept.digest).path) as rows:
            found = content_hash(rows)
    except FieldhouseError as error:
        return error.asked
    except (OSError, pa.ArrowInvalid) as error:
        return str(error)
    return "" if found == kept.digest else "its content is another"
