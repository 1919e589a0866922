"""Reads one packed row into the wanted features' wire values, whatever is wrong with others. Pure.

The slow, thorough half of `decoders`: it finds what is corrupt. Many sound rows at once are read
by `batch_reader`.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec

from featureserver.instants import EARLIEST, LATEST, check_micros
from featureserver.rows import Layout
from featureserver.wire_bytes import CODES, cut, decoder, read_bitmap
from registry.kernel.errors import Corrupt


class Wanted(msgspec.Struct, frozen=True):
    """A feature to read; `default` (wire) stands in for rows written before it existed."""

    name: str
    dtype: str
    default: Any = None


def columns_of(layout: Layout, wanted: Sequence[Wanted]) -> list[int | None]:
    """The schema's column of each wanted feature; None where rows of it have none."""
    positions = {column: i for i, column in enumerate(layout.schema.columns)}
    return [positions.get((one.name, one.dtype)) for one in wanted]


def variable_decoders(layout: Layout, columns: Sequence[int | None]) -> list[tuple[int, int, Any]]:
    """Of the wanted columns of variable length: the column, its place among such, its decoder."""
    asked = [column for column in columns if column in layout.variable]
    return [
        (column, layout.variable.index(column), decoder(layout.schema.columns[column][1]))
        for column in asked
        if column is not None
    ]


class RowReader:
    """Reads rows of one layout and schema version, one at a time."""

    def __init__(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        self._head, self._size, self._before = layout.head, layout.head.size, layout.before
        self._count = len(layout.schema.columns)
        self._no_nulls = bytes(layout.bitmap_bytes)
        self._variable = bool(layout.variable)
        self._first_end = layout.before + len(layout.fixed)
        self._columns = columns_of(layout, wanted)
        pairs = zip(self._columns, wanted, strict=True)
        self._times = [c is not None and w.dtype == "timestamp" for c, w in pairs]
        self._some_time = any(self._times)
        self._decoders = variable_decoders(layout, self._columns)
        self._plan(layout, wanted)

    def _plan(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        """Fields of the head, then variable columns decoded, then defaults: pick from that."""
        base = layout.before + len(layout.fixed) + len(layout.variable)
        decoded = {c: base + i for i, (c, _, _) in enumerate(self._decoders)}
        extra = base + len(self._decoders)
        picks: list[int] = []
        stand_ins: list[Any] = []
        for column, want in zip(self._columns, wanted, strict=True):
            if column is None:
                picks.append(extra + len(stand_ins))
                stand_ins.append(want.default)
            elif layout.schema.columns[column][1] in CODES:
                picks.append(layout.field_of(column))
            else:
                picks.append(decoded[column])
        self._stand_ins = tuple(stand_ins)
        self._stand_in_null = None in stand_ins
        self._pick = _picker(picks)

    def read(self, raw: bytes) -> tuple[int, tuple[Any, ...], bool]:
        """Event time, the wanted values, and whether one of them may be None.

        Raises `Corrupt` or one of `decoders.BROKEN` when the row is not sound.
        """
        fields = self._head.unpack_from(raw)
        before = self._before
        for time in fields[2 : before - 1]:
            if not EARLIEST <= time <= LATEST:
                raise Corrupt("a row has no instant that can be told")
        bits = fields[before - 1]
        nulls = 0 if bits == self._no_nulls else read_bitmap(bits, self._count)
        if self._variable:
            fields += self._variable_values(raw, fields, nulls)
        elif len(raw) != self._size:
            raise Corrupt("a row is not as long as it says")
        values = self._pick(fields + self._stand_ins if self._stand_ins else fields)
        if nulls:
            values = tuple(
                None if c is not None and nulls >> c & 1 else v
                for c, v in zip(self._columns, values, strict=True)
            )
        if self._some_time:
            check_micros(v for v, t in zip(values, self._times, strict=True) if t and v is not None)
        return fields[2], values, bool(nulls) or self._stand_in_null

    def _variable_values(self, raw: bytes, fields: tuple[Any, ...], nulls: int) -> tuple[Any, ...]:
        pieces = cut(raw, self._size, fields[self._first_end :])
        return tuple(
            None if nulls >> column & 1 else decode(pieces[index])
            for column, index, decode in self._decoders
        )


def _picker(picks: list[int]) -> Any:
    """A function from a tuple to the tuple of the picked items."""
    if not picks:
        return lambda fields: ()
    if len(picks) == 1:
        only = picks[0]
        return lambda fields: (fields[only],)
    return itemgetter(*picks)
