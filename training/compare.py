"""Compares rows that may be more than memory holds: as `training.moved` does, bucket by bucket."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from training.buckets import Bucketed
from training.moved import Move, move_between, retyped_columns
from training.stream import row_bytes

_SHARES = 16  # of a room's bytes one is for a heap or a bucket: comparing takes several times that
_MOST_BUCKETS = 4096


@dataclass(frozen=True, slots=True)
class Room:
    """What a comparison may use: about so many bytes of memory, and past that a folder."""

    folder: Path
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to compare, in batches of one schema; `count` is about how many they are."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    count: int = 0


def compare_batches(
    kept: Rows, now: Rows, identity: Sequence[str], event: str | None, room: Room
) -> Move | None:
    """How `now` differs from `kept`; see `training.moved.compare_rows`.

    Memory stays within about `room.most_bytes` as long as few rows share one identity. Raises
    `Unavailable` when the disk does not take what memory cannot hold.
    """
    retyped = retyped_columns(kept.schema, now.schema)
    if retyped:
        return Move(_count(kept), _count(now), retyped=retyped)
    most = max(1, room.most_bytes // _SHARES)
    count = min(_MOST_BUCKETS, 16 + 2 * kept.count * row_bytes(kept.schema) // most)
    with ExitStack() as stack:
        heaps = [Bucketed(room.folder, kept.schema, identity, count, most) for _ in range(2)]
        for heap in heaps:
            stack.callback(heap.close)
        before, after = heaps
        newest = _fill(before, kept, event)
        _fill(after, now, None)
        return _between(before, after, identity, event, newest) or None


def _between(
    before: Bucketed,
    after: Bucketed,
    identity: Sequence[str],
    event: str | None,
    newest: Any,
) -> Move:
    if not (before.spilled or after.spilled):
        return move_between(before.whole(), after.whole(), identity, event, newest)
    before.spill()
    after.spill()
    move = Move(0, 0)
    for number in sorted(before.numbers | after.numbers):
        move += move_between(before.bucket(number), after.bucket(number), identity, event, newest)
    return move


def _fill(heap: Bucketed, rows: Rows, event: str | None) -> Any:
    """Take the rows in; the newest time of their event column, if one is asked for."""
    newest = []
    for batch in rows.batches:
        heap.add(batch)
        if event is not None:
            newest.append(pc.max(batch.column(event)))
    return pc.max(pa.array(newest)) if newest else None


def _count(rows: Rows) -> int:
    return sum(batch.num_rows for batch in rows.batches)
