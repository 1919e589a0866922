"""Reads many sound rows of one layout and schema version at once, column by column. Pure.

The rows' heads are laid one behind the other and seen as a table of that stride, so a run of
columns of one type becomes Python numbers in one step, and columns that nobody wants are passed
over. Anything unsound raises, and `decoders` then reads row by row.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import lt
from typing import Any

import numpy as np

from featureserver.instants import EARLIEST, LATEST, check_micros
from featureserver.row_reader import Wanted, columns_of, variable_decoders
from featureserver.rows import WITH_CREATED, Layout, pack_wire
from featureserver.wire_bytes import CODES, read_bitmap
from registry.kernel.errors import Corrupt

_EVENT_AT, _CREATED_AT = 3, 11
_NUMPY = {"?": "?", "i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8"}


@dataclass(frozen=True, slots=True)
class _Run:
    """Wanted columns of one type that lie beside each other."""

    code: str
    at: int
    columns: list[int]


class BatchReader:
    """Compiled for the wanted features of one layout and schema version."""

    def __init__(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        self._size, self._start = layout.head.size, layout.start
        self._with_created = layout.number == WITH_CREATED
        self._count = len(layout.schema.columns)
        self._bitmap_at, self._bitmap_bytes = layout.bitmap_at, layout.bitmap_bytes
        self._columns = columns_of(layout, wanted)
        self._defaults = [one.default for one in wanted]
        pairs = enumerate(zip(self._columns, wanted, strict=True))
        self._times = [i for i, (c, w) in pairs if c is not None and w.dtype == "timestamp"]
        self._runs = _runs(layout, {column for column in self._columns if column is not None})
        self._ends = len(layout.variable)
        self._decoders = variable_decoders(layout, self._columns)
        read = [*(c for run in self._runs for c in run.columns), *(c for c, _, _ in self._decoders)]
        self._places = [None if c is None else read.index(c) for c in self._columns]
        self._filler = pack_wire(layout.schema, {}, 0, 1 if self._with_created else None)

    def read(self, raw: Sequence[bytes | None]) -> tuple[list[int], list[int], Any, Any]:
        """Event times (0 where there is no row), the rows that are missing, the columns, and the
        found rows in which a column is None (see `decoders.Decoded`)."""
        missing = [i for i, one in enumerate(raw) if one is None] if None in raw else []
        rows: Any = [self._filler if one is None else one for one in raw] if missing else raw
        whole = self._heads(rows)
        events = self._instants(whole, len(rows))
        flags = self._null_flags(whole, len(rows))
        read = [column for run in self._runs for column in self._table(whole, len(rows), run)]
        if self._ends:
            read += self._pieces(rows, whole, flags)
        nulls: dict[int, list[int]] = {}
        columns = [
            self._stand_in(i, len(rows), nulls) if place is None else read[place]
            for i, place in enumerate(self._places)
        ]
        if flags is not None:
            self._take_out_nulls(columns, flags, nulls)
        for i in self._times:
            check_micros(value for value in columns[i] if value is not None)
        if missing:
            _take_out_missing(columns, nulls, missing)
        return events, missing, columns, nulls

    def _heads(self, rows: Sequence[bytes]) -> bytes:
        size = self._size
        heads = [row[:size] for row in rows] if self._ends else rows
        if set(map(len, heads)) != {size}:
            raise Corrupt("a row is not as long as it says")
        whole = b"".join(heads)
        for at, byte in enumerate(self._start):
            if whole[at::size].count(byte) != len(rows):
                raise Corrupt("rows of several layouts or versions")
        return whole

    def _instants(self, whole: bytes, count: int) -> list[int]:
        stride = (self._size,)
        events: list[int] = np.ndarray((count,), "<i8", whole, _EVENT_AT, stride).tolist()
        low, high = min(events), max(events)
        if self._with_created:
            created = np.ndarray((count,), "<i8", whole, _CREATED_AT, stride)
            low, high = min(low, int(created.min())), max(high, int(created.max()))
        if not EARLIEST <= low <= high <= LATEST:
            raise Corrupt("a row has no instant that can be told")
        return events

    def _null_flags(self, whole: bytes, count: int) -> list[int] | None:
        """The null bits of every row as one integer; None when no bit of any row is set."""
        size, end = self._size, self._bitmap_at + self._bitmap_bytes
        if all(whole[at::size].count(0) == count for at in range(self._bitmap_at, end)):
            return None
        starts = range(self._bitmap_at, count * size, size)
        return [read_bitmap(whole[at : at + self._bitmap_bytes], self._count) for at in starts]

    def _table(self, whole: bytes, count: int, run: _Run) -> list[list[Any]]:
        shape, width = (len(run.columns), count), struct.calcsize(f"<{run.code}")
        kind, strides = _NUMPY[run.code], (width, self._size)
        table: list[list[Any]] = np.ndarray(shape, kind, whole, run.at, strides).tolist()
        return table

    def _stand_in(self, index: int, count: int, nulls: dict[int, list[int]]) -> list[Any]:
        """A column that rows of this version do not have."""
        default = self._defaults[index]
        if default is None:
            nulls[index] = list(range(count))
        return [default] * count

    def _take_out_nulls(
        self, columns: list[list[Any]], flags: list[int], nulls: dict[int, list[int]]
    ) -> None:
        rows = [(row, bits) for row, bits in enumerate(flags) if bits]
        for index, column in enumerate(self._columns):
            if column is None:
                continue
            empty = [row for row, bits in rows if bits >> column & 1]
            if empty:
                nulls[index] = empty
                for row in empty:
                    columns[index][row] = None

    def _pieces(
        self, rows: Sequence[bytes], whole: bytes, flags: list[int] | None
    ) -> list[list[Any]]:
        """The decoded columns of variable length; every row is as long as its last end says."""
        count, size = len(rows), self._size
        at = size - 4 * self._ends
        ends = np.ndarray((self._ends, count), "<u4", whole, at, (4, size)).tolist()
        bounds = [[size] * count, *([size + end for end in one] for one in ends)]
        for before, after in pairwise(bounds):
            if any(map(lt, after, before)):
                raise Corrupt("the parts of a row overlap")
        if bounds[-1] != list(map(len, rows)):
            raise Corrupt("a row is not as long as it says")
        none = flags or [0] * count
        return [
            [
                None if bits >> column & 1 else decode(row[start:end])
                for row, start, end, bits in zip(rows, bounds[i], bounds[i + 1], none, strict=True)
            ]
            for column, i, decode in self._decoders
        ]


def _runs(layout: Layout, asked: set[int]) -> list[_Run]:
    runs: list[_Run] = []
    at = layout.bitmap_at + layout.bitmap_bytes
    last = None
    for column in layout.fixed:
        code = CODES[layout.schema.columns[column][1]]
        if column in asked:
            if last is None or last.code != code:
                last = _Run(code, at, [])
                runs.append(last)
            last.columns.append(column)
        else:
            last = None
        at += struct.calcsize(f"<{code}")
    return runs


def _take_out_missing(
    columns: list[list[Any]], nulls: dict[int, list[int]], missing: list[int]
) -> None:
    """What fillers gave is no value; nulls are of found rows only."""
    for values in columns:
        for row in missing:
            values[row] = None
    gone = set(missing)
    for index, rows in list(nulls.items()):
        nulls[index] = [row for row in rows if row not in gone]
        if not nulls[index]:
            del nulls[index]
