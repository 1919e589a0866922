"""Where and when features are sketched: the keys of the smallest hashes, fixed anchor times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice

import pyarrow as pa

from registry.core.published import PublishedView
from registry.core.similarity.values import MAX_KEYS, ValueSketch, encode, words_in
from warehouse.engines.port import Engine
from warehouse.samples import key_hashes

ANCHOR = "__anchor"
WANTED_PAIRS = 1024
MONTHS = 4
WEEKS = 26
MAX_LABEL = 80


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """The keys that are looked at, ascending by their hashes, and the anchors before an instant."""

    entity: str
    keys: pa.Table
    hashes: tuple[int, ...]
    anchors: tuple[datetime, ...]

    @property
    def spine(self) -> pa.Table:
        """Every anchor with every key, anchor by anchor: the keys, and `ANCHOR`."""
        repeated = pa.concat_tables([self.keys] * len(self.anchors))
        times = [anchor for anchor in self.anchors for _ in self.hashes]
        return repeated.append_column(ANCHOR, pa.array(times, pa.timestamp("us", tz="UTC")))

    def sketch(self, ref: str, given: Sequence[object]) -> ValueSketch:
        """The sketch of a feature, of its values at each row of the spine."""
        kind, column = encode(given)
        shaped = column.reshape(len(self.anchors), len(self.hashes))
        words = words_in(kind, given, column)
        return ValueSketch(
            ref, self.entity, self.hashes, self.anchors, kind, shaped, words, _labels(self.keys)
        )


def places_of(keys: pa.Table, now: datetime) -> Places:
    """Some keys, as a table of the join keys, with as many anchors as make `WANTED_PAIRS`."""
    hashes = tuple(int(number) for number in key_hashes(keys))
    anchors = anchors_before(now, -(-WANTED_PAIRS // max(1, len(hashes))))
    return Places(", ".join(sorted(keys.column_names)), keys, hashes, anchors)


def keys_looked_at(engine: Engine, view: PublishedView, now: datetime) -> pa.Table:
    """The keys of the smallest hashes among those with a row before `now`, ascending by hash; no
    columns where the view has no rows. Reads keys alone, a batch at a time: however many there are,
    `MAX_KEYS` are held."""
    names = sorted(key.name for key in view.join_keys)  # whatever order a view declares
    kept: pa.Table | None = None
    with engine.latest(replace(view, features=()), since=None, until=now) as batches:
        for batch in batches:
            part = pa.Table.from_batches([batch]).select(names)
            kept = smallest(part if kept is None else pa.concat_tables([kept, part]))
    return pa.table({}) if kept is None else kept


def smallest(keys: pa.Table) -> pa.Table:
    """The `MAX_KEYS` keys of the smallest hashes, ascending by hash."""
    return keys.take(pa.array(key_hashes(keys).argsort(kind="stable")[:MAX_KEYS]))


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


def _labels(keys: pa.Table) -> tuple[str, ...]:
    """The keys as people know them, in the order of the hashes."""
    rows = zip(*(column.to_pylist() for column in keys.columns), strict=True)
    return tuple(", ".join(map(str, row))[:MAX_LABEL] for row in rows)
