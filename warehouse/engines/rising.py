"""The newest history row of each spine row where history comes in order of time. Pure numpy.

Then nothing of history is sorted: per key the last row so far is kept, which answers the spine rows
between two parts, and those inside a part's time are set against the part's rows of their keys. The
cost is a few passes over history, and a sort of the spine; the memory goes with spine and keys.
"""

from dataclasses import dataclass

import numpy as np

from warehouse.engines.counting_sort import rises, sort_by_code
from warehouse.engines.parts import Asked, Bools, Found, Int64s, Part
from warehouse.engines.stretches import NotRising, Stretch
from warehouse.engines.time_order import TimeOrder


@dataclass(frozen=True, slots=True)
class Matched:
    """A part, and what it holds for the spine rows before `end`, by time, that it is open for.

    The spine rows `at` take the part's rows `row`, the others of them nothing. `twins` marks rows
    that share key and times with another row of the part; None where no two times meet.
    """

    part: Part
    end: int
    at: Int64s
    row: Int64s
    twins: Bools | None


def by_time(asked: Asked, known: TimeOrder) -> Asked:
    """The spine rows in order of time."""
    if rises(asked.times):
        return asked
    order, times = known.sort(asked.times)
    return Asked(asked.rows, asked.at[order], asked.codes[order], times, asked.keys)


def match_within(spine: Asked, stretch: Stretch) -> Matched:
    """Set a part that has rows against the spine rows from its first event to before it is seen
    whole, whose time a later part may share. `spine` is `by_time`'s."""
    part = stretch.part
    edges = [part.event[0], stretch.open_until]
    start, end = np.searchsorted(spine.times, edges, side="left").tolist()
    asked = _of_keys(spine.codes[start:end], part.codes, spine.keys)
    codes = spine.codes[start:end][asked]
    chosen = _of_keys(part.codes, codes, spine.keys)
    times = spine.times[start:end][asked]
    seen = part.event if part.seen is None else part.seen
    newest = newest_before(part.codes[chosen], seen[chosen], codes, times)
    found = np.flatnonzero(newest >= 0)
    at, row = start + asked[found], chosen[newest[found]]
    return Matched(part, end, at, row, _twins(part, spine.keys))


def _of_keys(codes: Int64s, wanted: Int64s, keys: int) -> Int64s:
    """Where `codes` are such as `wanted` has."""
    known = np.zeros(keys, dtype=bool)
    known[wanted] = True
    return np.flatnonzero(known[codes])


def newest_before(codes: Int64s, seen: Int64s, asked: Int64s, times: Int64s) -> Int64s:
    """For each (code, time) asked for, the last row of its code with seen ≤ time, -1 for none.

    `times` rise, `seen` nearly; codes are not negative.
    """
    count = len(seen)
    merged = np.argsort(np.concatenate([seen, times]), kind="stable")  # nearly two runs: a merge
    merged_codes = np.concatenate([codes, asked])[merged]
    sort = sort_by_code(merged_codes)
    source, base = merged[sort], merged_codes[sort] * count
    is_row = source < count
    newest = np.maximum.accumulate(np.where(is_row, base + source, -1))
    spines = np.flatnonzero(~is_row)
    row = newest[spines] - base[spines]
    found = np.full(len(times), -1, dtype=np.int64)
    found[source[spines] - count] = np.maximum(row, -1)
    return found


class RisingRows:
    """Answers spine rows, which are `by_time`'s, while matched parts are offered in order of time.

    Positions are kept as stamps: twice the position, and one where the row shares its key and times
    with another. Without created times, `created` is the array of events itself.
    """

    def __init__(self, spine: Asked, with_created: bool = False) -> None:
        rows, keys = len(spine.at), spine.keys
        self.spine = spine
        self.stamps = np.full(rows, -1, dtype=np.int64)
        self.event = np.zeros(rows, dtype=np.int64)
        self.created = np.zeros(rows, dtype=np.int64) if with_created else self.event
        self.answered = 0
        self.last_stamp = np.full(keys, -1, dtype=np.int64)
        self.last_event = np.zeros(keys, dtype=np.int64)
        self.last_created = np.zeros(keys if with_created else 0, dtype=np.int64)
        self.latest: int | None = None

    def offer(self, matched: Matched) -> None:
        """Take the next part in. Raises `NotRising`."""
        part, first = matched.part, int(matched.part.event[0])
        if self.latest is not None and first < self.latest:
            raise NotRising
        stamps = part.position << 1
        if matched.twins is not None:
            stamps |= matched.twins
        if first == self.latest:
            self._mark_edge(part, stamps)
        self._answer_until(matched.end)
        self.stamps[matched.at] = stamps[matched.row]
        self.event[matched.at] = part.event[matched.row]
        self.last_stamp[part.codes] = stamps
        self.last_event[part.codes] = part.event
        if part.created is not None:
            self.created[matched.at] = part.created[matched.row]
            self.last_created[part.codes] = part.created
        self.latest = int(part.event[-1])

    def found(self) -> Found:
        """What every spine row takes, after the last part."""
        self._answer_until(len(self.stamps))
        tied = (self.stamps >= 0) & (self.stamps & 1 == 1)
        return Found(self.spine, self.stamps >> 1, self.event, self.created, tied)

    def _answer_until(self, end: int) -> None:
        """Answer the rows up to `end` by what earlier parts held."""
        rows = slice(self.answered, max(end, self.answered))
        codes = self.spine.codes[rows]
        self.stamps[rows] = self.last_stamp[codes]
        self.event[rows] = self.last_event[codes]
        if self.created is not self.event:
            self.created[rows] = self.last_created[codes]
        self.answered = rows.stop

    def _mark_edge(self, part: Part, stamps: Int64s) -> None:
        """Mark rows of a part's first time that share it with a row of an earlier part."""
        count = int(np.searchsorted(part.event, part.event[0], side="right"))
        codes = part.codes[:count]
        stamps[:count] |= (self.last_stamp[codes] >= 0) & (self.last_event[codes] == self.latest)


def _twins(part: Part, keys: int) -> Bools | None:
    same = part.event[1:] == part.event[:-1]
    if part.created is not None:
        same &= part.created[1:] == part.created[:-1]
    if not same.any():
        return None
    runs = np.concatenate([[0], np.cumsum(~same)])
    pairs = runs * keys + part.codes
    sort = np.argsort(pairs)
    equal = pairs[sort[1:]] == pairs[sort[:-1]]
    twins = np.zeros(len(pairs), dtype=bool)
    twins[sort[1:][equal]] = True
    twins[sort[:-1][equal]] = True
    return twins
