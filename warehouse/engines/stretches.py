"""A history's parts made ready to be matched in order of time. Pure numpy.

Rows that become visible after their event keep a part open for longer: until the last of its rows
is visible. Those that would keep it open for much longer are set aside.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from warehouse.engines.counting_sort import rises
from warehouse.engines.parts import Part, joined


class NotRising(Exception):
    """A part holds a time before one that came in an earlier part."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part in order of event and created time. Spine rows from `open_until` on see all of it, and
    of the parts before."""

    part: Part
    open_until: int


def in_order(part: Part) -> Part:
    """The part's rows in order of their events, those of one event in order of created time."""
    if rises(part.event):
        if part.created is None or (part.event[1:] > part.event[:-1]).all():
            return part
        return part.chosen(np.lexsort((part.created, part.event)))
    if part.created is None:
        return part.chosen(np.argsort(part.event, kind="stable"))
    return part.chosen(np.lexsort((part.created, part.event)))


class Late:
    """Rows that become visible long after their event, for another way to find: `most` of them."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.room = most

    def without(self, part: Part) -> Part:
        """The part's other rows; keeps those that become visible later than the part is long.

        Raises `NotRising` when there are too many of them.
        """
        if part.seen is None:
            return part
        first, last = int(part.event[0]), int(part.event[-1])
        late = part.seen > last + max(1, last - first)
        if not late.any():
            return part
        self.parts.append(part.chosen(np.flatnonzero(late)))
        self.room -= len(self.parts[-1].event)
        if self.room < 0:
            raise NotRising
        return part.chosen(np.flatnonzero(~late))


def stretches(parts: Iterable[Part], late: Late) -> Iterator[Stretch]:
    """Parts that are `in_order`, and until when they are open.

    Where rows have created times, no two parts share an event. Raises `NotRising`.
    """
    open_until: int | None = None
    for whole in _apart(parts):
        part = late.without(whole)
        if not len(part.event):
            continue
        seen = int(part.event[-1] if part.seen is None else part.seen.max())
        open_until = seen if open_until is None else max(seen, open_until)
        yield Stretch(part, open_until)


def _apart(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, those with created times joined where one ends with the event by which the next
    begins: which of two such rows is newer, only a look at both tells."""
    held: list[Part] = []
    for part in parts:
        if part.created is None:
            yield part
            continue
        if held and part.event[0] < held[-1].event[-1]:
            raise NotRising
        if held and part.event[0] > held[-1].event[-1]:
            yield _whole(held)
            held = []
        held.append(part)
    if held:
        yield _whole(held)


def _whole(held: list[Part]) -> Part:
    return held[0] if len(held) == 1 else in_order(joined(held))
