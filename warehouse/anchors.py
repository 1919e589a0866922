"""Where and when features are sketched: the keys of the smallest hashes, fixed anchor times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

import pyarrow as pa

from registry.core.published import PublishedView
from registry.core.similarity.encoding import encode, form_of, words_in
from registry.core.similarity.values import MAX_KEYS, ValueSketch
from warehouse.engines.port import Engine
from warehouse.samples import key_hashes

ANCHOR = "__anchor"
WANTED_PAIRS = 1024
WEEKS = 26
# Days of a perfect difference set (Singer 1938): of two periods of 31 days some two of these lie
# apart by any number of days from 1 to 30.
PERIOD_DAYS, DAYS = 31, (0, 1, 3, 8, 12, 18)
# Hours of a Golomb ruler, back from noon of every other period's first day: 1 to 13, 16 and 17.
HOURS = (1, 4, 10, 12, 17)
RULER = 2 * len(DAYS) + len(HOURS)
_FIRST = datetime(2000, 1, 1, 12, tzinfo=UTC)
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
        return ValueSketch(
            ref,
            self.entity,
            self.hashes,
            self.anchors,
            kind,
            shaped,
            words_in(kind, given, column),
            _labels(self.keys),
            form_of(given),
        )


def places_of(keys: pa.Table, now: datetime) -> Places:
    """Some keys, as a table of the join keys, with as many anchors as make `WANTED_PAIRS`, and a
    whole ruler of them at least."""
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
    """The first `count` anchors before an instant, `RULER` at least, ascending.

    A ruler of two months, any number of days up to thirty and most hours of a day apart, so that a
    copy that comes later is told by as much; then Mondays, then days, at noon UTC. They are fixed
    points of the calendar, so that sketches made on different days share most of theirs, and fewer
    keys (more anchors) have all that more keys have.
    """
    ruler = islice(_ruler(now), RULER)
    found = dict.fromkeys(islice(chain(ruler, _weeks(now), _days(now)), 4 * count + 64))
    past = [anchor for anchor in found if anchor <= now]
    return tuple(sorted(past[: max(count, RULER)]))


def _ruler(now: datetime) -> Iterator[datetime]:
    """Marks before an instant, newest first, for ever."""
    period = (now - _FIRST).days // PERIOD_DAYS
    while True:
        start = _FIRST + timedelta(days=PERIOD_DAYS * period)
        marks = [start + timedelta(days=day) for day in DAYS]
        if period % 2 == 0:
            marks += [start - timedelta(hours=hours) for hours in HOURS]
        yield from sorted((mark for mark in marks if mark <= now), reverse=True)
        period -= 1


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
