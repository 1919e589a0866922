"""Compares two training sets: by what their manifests say, and row by row. Writes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from training.compare import Room, Rows, compare_batches
from training.dataset import TrainingSet
from training.manifest import Column, Manifest
from training.moved import Move
from warehouse.profiles import ColumnProfile
from warehouse.sketches import distance

_NOTABLE_DISTANCE = 0.01
_NOTABLE_NULLS = 0.001


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """How a column that both sets have differs. `apart` is the Kolmogorov-Smirnov distance of its
    distributions, None where the column is not numeric."""

    column: str
    what: tuple[str, ...]
    nulls: tuple[float, float]
    means: tuple[float | None, float | None]
    apart: float | None


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """How the right set differs from the left. `same` says that the data are equal to the bit.

    `moved` counts rows by key and time, in the columns that both have; None when they are the same.
    """

    left: str
    right: str
    same: bool
    rows: tuple[int, int]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[ColumnChange, ...]
    moved: Move | None = None


def compare_sets(left: TrainingSet, right: TrainingSet, room: Room) -> DatasetDiff:
    """Compare manifests, and, where the data differ, the rows by the columns that both have, in
    the memory and on the disk of `room`."""
    found = compare(left.manifest, right.manifest)
    return found if found.same else replace(found, moved=_rows_moved(left, right, room))


def _rows_moved(left: TrainingSet, right: TrainingSet, room: Room) -> Move | None:
    """Which rows of key and time only one set has, and which have other values."""
    both = [name for name in left.schema.names if name in right.schema.names]
    who = [c.name for c in left.manifest.columns if c.role in ("key", "time") and c.name in both]
    time = left.manifest.recipe.spec.time_column
    event = time if time in both else None
    return compare_batches(_rows(left, both), _rows(right, both), who, event, room)


def _rows(made: TrainingSet, columns: Sequence[str]) -> Rows:
    schema = made.schema
    chosen = pa.schema([schema.field(name) for name in columns])
    return Rows(chosen, (batch.select(columns) for batch in made.batches()), made.rows)


def compare(left: Manifest, right: Manifest) -> DatasetDiff:
    """Compare schema, rows and distributions."""
    ours = {column.name: column for column in left.columns}
    theirs = {column.name: column for column in right.columns}
    both = [name for name in ours if name in theirs]
    changes = (_change(ours[n], theirs[n], left.profiles[n], right.profiles[n]) for n in both)
    return DatasetDiff(
        left=left.name,
        right=right.name,
        same=left.content_hash == right.content_hash,
        rows=(left.rows, right.rows),
        added=tuple(name for name in theirs if name not in ours),
        removed=tuple(name for name in ours if name not in theirs),
        changed=tuple(change for change in changes if change is not None),
    )


def _change(
    left: Column, right: Column, before: ColumnProfile, after: ColumnProfile
) -> ColumnChange | None:
    apart = distance(before.sketch, after.sketch) if before.sketch and after.sketch else None
    what = tuple(_facts_changed(left, right))
    shifted = apart is not None and apart >= _NOTABLE_DISTANCE
    if not (what or shifted or abs(before.null_rate - after.null_rate) >= _NOTABLE_NULLS):
        return None
    return ColumnChange(
        left.name, what, (before.null_rate, after.null_rate), (before.mean, after.mean), apart
    )


def _facts_changed(left: Column, right: Column) -> Iterator[str]:
    pairs = (
        ("role", left.role, right.role),
        ("type", left.arrow, right.arrow),
        ("feature", left.ref, right.ref),
        ("meaning", left.meaning, right.meaning),
        ("state", left.state, right.state),
    )
    for fact, before, after in pairs:
        if before != after:
            yield f"{fact}: {before or 'none'} → {after or 'none'}"
