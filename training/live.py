"""Looks at the live sources of a training set again: which have moved on, and what would change."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from registry.core.definitions import Source
from registry.kernel.errors import Corrupt, FieldhouseError, Invalid
from training.compare import Room, Rows, compare_batches
from training.dataset import TrainingSet
from training.manifest import Manifest, SnapshotFacts
from training.maturity import RipeSpine
from training.moved import Move, changed_rows
from training.recipe import Recipe
from training.spine import open_spine
from training.stream import join_batches, read_batches, rows_at_once
from warehouse.batches import tables_of
from warehouse.engines.port import Engine
from warehouse.history import history_of
from warehouse.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Moved:
    """A source that no longer gives what was kept of it. `move` None: it cannot be compared."""

    source: str
    reason: str
    move: Move | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What the live sources say. `changed` counts the rows of the set that would come out otherwise
    from them, for the spine that was kept, in `columns`; None when it cannot be built: `reason`."""

    moved: tuple[Moved, ...]
    changed: int | None
    columns: tuple[str, ...] = ()
    reason: str = ""


def look_live(made: TrainingSet, engine: Engine, store: SnapshotStore, batch_bytes: int) -> Live:
    """Read each source again, a query by running it, and build the set from them again, with about
    `batch_bytes` of rows in memory."""
    moved = tuple(moved_sources(made.manifest, engine, store, batch_bytes))
    try:
        changed, columns = _changed(made, engine, store, batch_bytes)
    except FieldhouseError as error:
        return Live(moved, None, reason=_one_line(error))
    return Live(moved, changed, columns)


def _changed(
    made: TrainingSet, engine: Engine, store: SnapshotStore, batch_bytes: int
) -> tuple[int, tuple[str, ...]]:
    """How many rows of the set come out otherwise now, and in which columns, batch by batch."""
    recipe = made.manifest.recipe
    total = 0
    columns: set[str] = set()
    with read_batches(store.find(made.manifest.spine.digest).path) as spine:
        rows = rows_at_once(recipe, spine.schema, batch_bytes)
        kept = tables_of(pa.RecordBatchReader.from_batches(made.schema, made.batches()), rows)
        now = join_batches(spine, recipe, engine, rows)
        for before, after in zip(kept, now, strict=True):
            changed, where = changed_rows(before, after.table)
            total += changed
            columns.update(where)
    return total, tuple(name for name in made.schema.names if name in columns)


def moved_sources(
    manifest: Manifest, engine: Engine, store: SnapshotStore, batch_bytes: int
) -> Iterator[Moved]:
    """The sources that give something else now; of the spine, its query or files."""
    for kept in manifest.snapshots:
        try:
            move = _move(kept, manifest, engine, store, Room(store.folder, batch_bytes))
        except FieldhouseError as error:
            yield Moved(kept.of, _one_line(error))
            continue
        if move is not None:
            yield Moved(kept.of, move.sentence, move)


def _move(
    kept: SnapshotFacts, manifest: Manifest, engine: Engine, store: SnapshotStore, room: Room
) -> Move | None:
    if kept.source is None and manifest.recipe.spec.spine is None:
        return None
    with ExitStack() as stack:
        before = stack.enter_context(_kept_rows(kept, store))
        if kept.source is not None:
            keys, event = _identity(kept.source, manifest.recipe)
            now = stack.enter_context(engine.read(kept.source, kept.columns))
        else:
            keys, event = _identity_of_spine(manifest.recipe)
            now = stack.enter_context(_spine_again(manifest, engine))
        now_rows = Rows(now.schema, now)
        return compare_batches(before, now_rows, (*keys, event), event, room)


@contextmanager
def _kept_rows(kept: SnapshotFacts, store: SnapshotStore) -> Iterator[Rows]:
    """The rows of a snapshot. Raises `NotFound`, or `Corrupt` for what is no longer one."""
    try:
        with read_batches(store.find(kept.digest).path) as reader:
            yield Rows(reader.schema, reader, kept.rows)
    except (OSError, pa.ArrowInvalid) as error:
        raise Corrupt(f"cannot read the snapshot of {kept.of}", str(error)) from error


@contextmanager
def _spine_again(manifest: Manifest, engine: Engine) -> Iterator[pa.RecordBatchReader]:
    """The spine as its query or files give it now, its labels as ripe as they were at build."""
    spec = manifest.recipe.spec
    columns = list(manifest.spine.columns)
    with open_spine(spec.spine, engine) as reader:
        missing = [name for name in columns if name not in reader.schema.names]
        if missing:
            raise Invalid("the spine has other columns now", f"it lacks {', '.join(missing)}")
        schema = pa.schema([reader.schema.field(name) for name in columns])
        chosen = (batch.select(columns) for batch in reader)
        now = pa.RecordBatchReader.from_batches(schema, chosen)
        ripe = RipeSpine(now, spec.maturity, spec.time_column, spec.time_zone, manifest.created_at)
        yield ripe.reader


def _identity(source: Source, recipe: Recipe) -> tuple[tuple[str, ...], str]:
    """The columns of key and of event time that the first view over a source joins by."""
    history = next(h for h in map(history_of, recipe.views) if h.source == source)
    return tuple(key.source_column for key in history.keys), history.event


def _identity_of_spine(recipe: Recipe) -> tuple[tuple[str, ...], str]:
    """The spine's columns of key and of time."""
    time = recipe.spec.time_column
    keys = dict.fromkeys(key.name for view in recipe.views for key in view.join_keys)
    return tuple(name for name in keys if name != time), time


def _one_line(error: FieldhouseError) -> str:
    return str(error).replace("\n", ";")
