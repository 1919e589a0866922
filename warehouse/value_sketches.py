"""Sketches of features' values for duplicate detection: newest keys, as of fixed anchor times.

What a sketch means, and how two are compared, is `registry.core.similarity.values`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice

import pyarrow as pa

from registry.core.published import PublishedView
from registry.core.similarity.values import MAX_KEYS, ValueSketch, encode, words_in
from registry.kernel.clock import Clock
from registry.kernel.types import element_type
from warehouse.engines.port import Engine
from warehouse.samples import key_hashes

WANTED_PAIRS = 1024
MONTHS = 4
WEEKS = 26
MAX_LABEL = 80
_ANCHOR = "__anchor"


@dataclass(frozen=True, slots=True)
class ValueSketcher:
    """A `registry.ports.SketchMaker` over an engine, as of the clock's now."""

    engine: Engine
    clock: Clock

    def __call__(self, view: PublishedView, features: Sequence[str]) -> Sequence[ValueSketch]:
        """A sketch of each named scalar feature. Reads the view's history twice: once for its keys,
        once for their values. None when the view has no rows yet."""
        wanted = [f for f in view.features if f.name in set(features) and _sketched(f.dtype)]
        # An expired value still says what the feature computes, so the ttl does not count here.
        lasting = replace(view, ttl_seconds=None)
        keys, hashes = self._keys(lasting)
        if not wanted or not hashes:
            return ()
        anchors = anchors_before(self.clock(), -(-WANTED_PAIRS // len(hashes)))
        spine = _spine(keys, anchors)
        values = self.engine.as_of(spine, _ANCHOR, lasting, [f.name for f in wanted])
        entity = entity_of(view)
        sketches = []
        for feature in wanted:
            given = values.column(feature.name).to_pylist()
            kind, column = encode(given)
            shaped = column.reshape(len(anchors), len(hashes))
            ref = f"{view.name}:{feature.name}@{feature.version}"
            words = words_in(kind, given, column)
            sketches.append(
                ValueSketch(ref, entity, hashes, anchors, kind, shaped, words, _labels(keys))
            )
        return sketches

    def _keys(self, view: PublishedView) -> tuple[pa.Table, tuple[int, ...]]:
        """The keys of the smallest hashes, ascending by hash, and the hashes. Reads keys alone, a
        batch at a time: however many there are, `MAX_KEYS` are held."""
        names = [key.name for key in view.join_keys]
        kept: pa.Table | None = None
        with self.engine.latest(
            replace(view, features=()), since=None, until=self.clock()
        ) as batches:
            for batch in batches:
                part = pa.Table.from_batches([batch]).select(names)
                kept = _smallest(part if kept is None else pa.concat_tables([kept, part]))
        if kept is None:
            return pa.table({}), ()
        return kept, tuple(int(h) for h in key_hashes(kept))


def _smallest(keys: pa.Table) -> pa.Table:
    return keys.take(pa.array(key_hashes(keys).argsort(kind="stable")[:MAX_KEYS]))


def entity_of(view: PublishedView) -> str:
    """The join keys by name, as every sketch of the entity names them whatever types they have."""
    return ", ".join(sorted(key.name for key in view.join_keys))


def anchors_before(now: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` anchors before an instant, ascending.

    Days of the last months, an hour, a day and a week apart, so that a copy that comes later is
    told by as much; then Mondays, then days, at noon UTC. They are fixed points of the calendar,
    so that sketches made on different days share most of theirs, and fewer keys (more anchors) have
    all that more keys have.
    """
    found = dict.fromkeys(islice(chain(_months(now), _weeks(now), _days(now)), 4 * count + 64))
    past = [anchor for anchor in found if anchor <= now]
    return tuple(sorted(past[:count]))


def _months(now: datetime) -> Iterator[datetime]:
    month = _noon(now).replace(day=1)
    for _ in range(MONTHS):
        yield from (month, month.replace(day=2), month.replace(day=2, hour=11))
        yield month.replace(day=8)
        month = (month - timedelta(days=1)).replace(day=1)


def _weeks(now: datetime) -> Iterator[datetime]:
    monday = _noon(now) - timedelta(days=now.weekday())
    yield from (monday - timedelta(weeks=week) for week in range(WEEKS))


def _days(now: datetime) -> Iterator[datetime]:
    day = _noon(now)
    while True:
        yield day
        day -= timedelta(days=1)


def _noon(instant: datetime) -> datetime:
    return instant.replace(hour=12, minute=0, second=0, microsecond=0)


def _spine(keys: pa.Table, anchors: Sequence[datetime]) -> pa.Table:
    """Every anchor with every key, anchor by anchor."""
    count = keys.num_rows
    repeated = pa.concat_tables([keys] * len(anchors))
    times = [anchor for anchor in anchors for _ in range(count)]
    return repeated.append_column(_ANCHOR, pa.array(times, pa.timestamp("us", tz="UTC")))


def _labels(keys: pa.Table) -> tuple[str, ...]:
    """The keys as people know them, in the order of the hashes."""
    rows = zip(*(column.to_pylist() for column in keys.columns), strict=True)
    return tuple(", ".join(map(str, row))[:MAX_LABEL] for row in rows)


def _sketched(dtype: str) -> bool:
    return element_type(dtype) is None and dtype not in ("bytes", "json", "map", "struct")
