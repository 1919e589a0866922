"""The spine put in order of key and time, and where in it a history row belongs. Pure numpy.

A history row belongs to the first spine row of its key that can see it, its *slot*. All later rows
of the key see it too. So history is read once, in any order and in parts, and per slot no more than
the newest row is kept: the cost is n log m for n history rows and m spine rows, the memory m.
"""

from dataclasses import dataclass

import numpy as np

from warehouse.engines.parts import Asked, Int64s

_BITS = 62


@dataclass(frozen=True, slots=True)
class SpineOrder:
    """Spine rows that have key and time, in order of `marks` = (code << bits) | moment.

    `rows` counts all of the spine's rows; `order[i]` is the i-th one's position and `times[i]` its
    ticks. A moment is a time less `low` or, where key and time do not fit 62 bits together, the
    time's rank among `ranks`.
    """

    rows: int
    order: Int64s
    times: Int64s
    marks: Int64s
    bits: int
    low: int
    ranks: Int64s | None

    @property
    def count(self) -> int:
        return len(self.order)

    def exact(self, seen: Int64s) -> bool:
        """Whether moments tell all of these times apart."""
        return self.ranks is None and bool(len(seen) == 0 or seen.min() >= self.low)

    def marks_of(self, codes: Int64s, seen: Int64s) -> Int64s:
        """The marks of history rows that become visible at `seen`, none after the last time."""
        if self.ranks is not None:
            return (codes << self.bits) | np.searchsorted(self.ranks, seen, side="left")
        return (codes << self.bits) | np.maximum(seen - self.low, 0)

    def slots_of(self, marks: Int64s) -> Int64s:
        """The slot of each mark, -1 where no spine row of the key comes that late."""
        if not self.count:
            return np.full(len(marks), -1, dtype=np.int64)
        slots = np.searchsorted(self.marks, marks, side="left")
        inside = np.minimum(slots, self.count - 1)
        same = (slots < self.count) & ((self.marks[inside] ^ marks) >> self.bits == 0)
        return np.where(same, slots, -1)

    def asked(self) -> Asked:
        """The spine rows in this order."""
        codes = self.marks >> self.bits
        keys = int(codes.max(initial=-1)) + 1
        return Asked(self.rows, self.order, codes, self.times, keys)

    def groups(self) -> Int64s:
        """For each row in order the number of its key, counted from 0 upwards."""
        codes = self.marks >> self.bits
        return np.cumsum(np.diff(codes, prepend=codes[:1]) != 0)


def order_spine(asked: Asked, low: int) -> SpineOrder:
    """Order the spine rows that ask for something.

    `low` is no later than any history row to come, where that is known: it spares work later.
    """
    codes, times = asked.codes, asked.times
    low, ranks = min(low, int(times.min(initial=low))), None
    bits = (int(times.max(initial=low)) - low).bit_length()
    if bits + int(codes.max(initial=0)).bit_length() > _BITS:
        ranks = np.unique(times)
        bits = len(ranks).bit_length()
        moments = np.searchsorted(ranks, times)
    else:
        moments = times - low
    marks = (codes << bits) | moments
    sort = np.argsort(marks)
    return SpineOrder(asked.rows, asked.at[sort], times[sort], marks[sort], bits, low, ranks)
