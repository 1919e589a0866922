"""Reads the sound rows of several views as one: one row a view, laid behind each other. Pure.

What is in the rows' first bytes says how all of them lie, so one compiled reading takes all numbers
of all rows at once. Anything else than whole rows of plain numbers is left to `row_reader`.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any

from featureserver.decoders import Decoder
from featureserver.instants import EARLIEST, LATEST
from featureserver.rows import Layout

START = slice(0, 3)
_MOST_SHAPES = 64


class RowsTogether:
    """Rows of these decoders, one each: their event times, and their values in the given order.

    `order` says which of all wanted columns, view after view, comes first, second and so on.
    """

    def __init__(self, decoders: Sequence[Decoder], order: Sequence[int]) -> None:
        self._decoders = decoders
        self._order = order
        self._shapes: dict[bytes, _Shape | None] = {}

    def read(self, rows: Sequence[bytes]) -> tuple[tuple[int, ...], tuple[Any, ...]] | None:
        """Event times by row, and the values; None when the rows want to be read one by one."""
        starts = b"".join([row[START] for row in rows])
        try:
            shape = self._shapes[starts]
        except KeyError:
            shape = self._shape(starts, rows)
        return None if shape is None else shape.read(rows)

    def _shape(self, starts: bytes, rows: Sequence[bytes]) -> "_Shape | None":
        if len(self._shapes) >= _MOST_SHAPES:
            return None
        found = [
            decoder.layout(row[START]) for decoder, row in zip(self._decoders, rows, strict=True)
        ]
        laid = [one for one in found if one is not None]
        made = _Shape(laid, self._order) if len(laid) == len(rows) and _plain(laid) else None
        return self._shapes.setdefault(starts, made)


_Laid = tuple[Layout, list[int | None]]


def _plain(laid: Sequence[_Laid]) -> bool:
    """Whether the rows have columns of fixed width only, among them all that are wanted."""
    return all(not layout.variable and None not in columns for layout, columns in laid)


class _Shape:
    """How rows of these layouts lie behind each other."""

    def __init__(self, laid: Sequence[_Laid], order: Sequence[int]) -> None:
        layouts = [layout for layout, _ in laid]
        codes = "".join(layout.head.format.removeprefix("<") for layout in layouts)
        self._unpack = struct.Struct("<" + codes).unpack
        self._sizes = [layout.head.size for layout in layouts]
        counts = [layout.before + len(layout.fixed) for layout in layouts]
        firsts = list(accumulate(counts, initial=0))[:-1]
        pairs = list(zip(firsts, laid, strict=True))
        self._no_nulls = tuple(bytes(layout.bitmap_bytes) for layout in layouts)
        self._bitmaps = _picker([at + one.before - 1 for at, (one, _) in pairs])
        self._times = _picker([at + i for at, (one, _) in pairs for i in range(2, one.before - 1)])
        self._events = _picker([at + 2 for at in firsts])
        places = [at + one.field_of(c) for at, (one, cs) in pairs for c in cs if c is not None]
        self._values = _picker([places[i] for i in order])

    def read(self, rows: Sequence[bytes]) -> tuple[tuple[int, ...], tuple[Any, ...]] | None:
        if list(map(len, rows)) != self._sizes:
            return None
        fields = self._unpack(b"".join(rows))
        times = self._times(fields)
        if self._bitmaps(fields) != self._no_nulls or min(times) < EARLIEST or max(times) > LATEST:
            return None
        events = self._events(fields)
        return None if 0 in events else (events, self._values(fields))  # 0 says "no row" elsewhere


def _picker(picks: Sequence[int]) -> Any:
    """A function from a tuple to the tuple of the picked items, of which there is at least one."""
    return itemgetter(*picks) if len(picks) > 1 else lambda fields: (fields[picks[0]],)
