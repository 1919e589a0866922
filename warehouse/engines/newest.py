"""The newest history row of each slot, gathered from parts in any order. Pure numpy."""

from dataclasses import dataclass

import numpy as np

from warehouse.engines.counting_sort import rises, sort_by_code
from warehouse.engines.parts import Bools, Found, Int64s, Part
from warehouse.engines.slots import SpineOrder


@dataclass(frozen=True, slots=True)
class Winners:
    """The newest row of each of some slots; `tied` where another has the same times."""

    slots: Int64s
    event: Int64s
    created: Int64s
    position: Int64s
    tied: Bools


def winners_of(order: SpineOrder, part: Part) -> Winners:
    """The newest row per slot among one part's rows. Touches nothing shared: run it in threads."""
    seen = part.event if part.seen is None else part.seen
    marks = order.marks_of(part.codes, seen)
    sort = sort_by_code(part.codes) if rises(seen) else np.argsort(marks)
    slots = order.slots_of(marks[sort])
    if part.created is None and part.seen is None and order.exact(seen):
        stamps = marks[sort]
        same = stamps[1:] == stamps[:-1]
    else:
        sort, slots, same = _by_times(part, sort, slots)
    return _last_of_each(part, sort, slots, same)


def _by_times(part: Part, sort: Int64s, slots: Int64s) -> tuple[Int64s, Int64s, Bools]:
    """Order by slot, event and created time; and whether each row has the times of the next."""
    event = part.event[sort]
    times = [event] if part.created is None else [part.created[sort], event]
    again = np.lexsort((*times, slots))
    sort, slots = sort[again], slots[again]
    same = slots[1:] == slots[:-1]
    for values in times:
        ordered = values[again]
        same &= ordered[1:] == ordered[:-1]
    return sort, slots, same


def _last_of_each(part: Part, sort: Int64s, slots: Int64s, same: Bools) -> Winners:
    last = np.ones(len(slots), dtype=bool)
    last[:-1] = slots[1:] != slots[:-1]
    last &= slots >= 0
    at = np.flatnonzero(last)
    chosen = sort[at]
    tied = np.zeros(len(at), dtype=bool)
    before = at > 0
    tied[before] = same[at[before] - 1]
    event = part.event[chosen]
    created = event if part.created is None else part.created[chosen]
    return Winners(slots[at], event, created, part.position[chosen], tied)


class NewestRows:
    """Per slot the newest row offered so far: newest by event, then by created time.

    Without created times, `created` is the array of events itself.
    """

    def __init__(self, order: SpineOrder, with_created: bool) -> None:
        self.order = order
        self.event = np.zeros(order.count, dtype=np.int64)
        self.created = np.zeros(order.count, dtype=np.int64) if with_created else self.event
        self.position = np.full(order.count, -1, dtype=np.int64)
        self.tied = np.zeros(order.count, dtype=bool)

    def offer(self, found: Winners) -> None:
        """Keep those of a part that are newer than what is here."""
        at = found.slots
        event, empty = self.event[at], self.position[at] < 0
        newer, equal = found.event > event, found.event == event
        if self.created is not self.event:
            created = self.created[at]
            newer |= equal & (found.created > created)
            equal &= found.created == created
        equal &= ~empty
        newer |= empty
        if equal.any():
            self.tied[at[equal]] = True
        keep = at[newer]
        self.event[keep] = found.event[newer]
        if self.created is not self.event:
            self.created[keep] = found.created[newer]
        self.position[keep] = found.position[newer]
        self.tied[keep] = found.tied[newer]

    def found(self, in_order: bool = False) -> Found:
        """What each spine row takes, in order of key and time; `in_order` as `carry` has it."""
        taken = self.carry(in_order)
        there = taken >= 0
        return Found(
            self.order.asked(),
            np.where(there, self.position[taken], -1),
            self.event[taken],
            self.created[taken],
            there & self.tied[taken],
        )

    def carry(self, in_order: bool = False) -> Int64s:
        """For each spine row in order the slot whose row it takes, -1 for none: of its key's slots
        up to its own, the one with the newest row. `in_order`: of two slots of one key the later
        has the newer row, as it is where rows are visible from their event on.
        """
        taken = np.flatnonzero(self.position >= 0)
        if not len(taken):
            return np.full(self.order.count, -1, dtype=np.int64)
        newest = np.arange(len(taken))
        if not in_order:
            newest = np.lexsort((self.created[taken], self.event[taken]))
        rank = np.empty(len(taken), dtype=np.int64)
        rank[newest] = np.arange(1, len(taken) + 1)
        base = self.order.groups() * (len(taken) + 1)
        best = base.copy()
        best[taken] += rank
        place = np.maximum.accumulate(best) - base
        return np.where(place > 0, taken[newest][place - 1], -1)


def newer_of(one: Found, other: Found) -> Found:
    """Of two answers to the same spine rows from different history rows, for each the newer."""
    place = np.empty(one.asked.rows, dtype=np.int64)
    place[other.asked.at] = np.arange(len(other.asked.at))
    at = place[one.asked.at]
    position, event, created = other.position[at], other.event[at], other.created[at]
    both = (one.position >= 0) & (position >= 0)
    equal = both & (event == one.event) & (created == one.created)
    newer = (event > one.event) | ((event == one.event) & (created > one.created))
    take = np.where(both, newer, position >= 0)
    return Found(
        one.asked,
        np.where(take, position, one.position),
        np.where(take, event, one.event),
        np.where(take, created, one.created),
        equal | np.where(take, other.tied[at], one.tied),
    )
