"""Compiled readers of packed rows: one per view and set of features asked for. Pure.

Few rows are read one by one with a `struct.Struct`; many are laid under a numpy record type and
read by column. Both give the wire values (`values`) that `rows.unpack` gives, column by column.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from featureserver.instants import EARLIEST, LATEST, check_micros
from featureserver.rows import LAYOUT, Layout, layout_of
from featureserver.values import CODES, cut, decoder, read_bitmap
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt

FOUND, MISSING, CORRUPT = 0, 1, 2
MANY_ROWS = 24
_NUMPY = {"?": "?", "i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8"}
_BROKEN = (Corrupt, struct.error, KeyError, IndexError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A feature to read; `default` (wire) stands in for rows written before it existed."""

    name: str
    dtype: str
    default: Any = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """n rows: event times in microseconds (0 where none), and one list of n values per feature.

    `marks` is FOUND, MISSING or CORRUPT per row, or None when every row was found. `nulls` maps
    the index of a column to the found rows in which its value is None; columns without are absent.
    """

    events: list[int]
    marks: list[int] | None
    columns: list[list[Any]]
    nulls: dict[int, list[int]]


class Decoder:
    """Reads rows of any known schema version into the columns of the wanted features."""

    def __init__(self, schemas: Mapping[int, RowSchema], wanted: Sequence[Wanted]) -> None:
        self._readers = {v: _Reader(layout_of(s), wanted) for v, s in schemas.items()}
        self._versions = {struct.pack("<H", version) for version in schemas}
        self._width = len(wanted)
        self._empty = (None,) * self._width

    def decode(self, raw: Sequence[bytes | None]) -> Decoded:
        """Read rows in order; a row that cannot be read spoils itself alone."""
        if len(raw) >= MANY_ROWS:
            decoded = self._by_column(raw)
            if decoded is not None:
                return decoded
        return self._by_row(raw)

    def _by_row(self, raw: Sequence[bytes | None]) -> Decoded:
        events, marks, rows = [], [], []
        nulls: dict[int, list[int]] = {}
        readers, empty = self._readers, self._empty
        for place, one in enumerate(raw):
            event, mark, row = 0, FOUND, empty
            if one is None:
                mark = MISSING
            else:
                try:
                    event, row, some = readers[one[1] | one[2] << 8].row(one)
                    if some:
                        _note_nulls(nulls, row, place)
                except _BROKEN:
                    mark, row = CORRUPT, empty
            events.append(event)
            marks.append(mark)
            rows.append(row)
        columns = [list(column) for column in zip(*rows, strict=True)] if rows else []
        columns = columns or [[] for _ in range(self._width)]
        return Decoded(events, marks if any(marks) else None, columns, nulls)

    def _by_column(self, raw: Sequence[bytes | None]) -> Decoded | None:
        """All rows at once when they are of one schema version and sound, else None."""
        first = next((one for one in raw if one is not None), None)
        if first is None or len(first) < 3 or first[1:3] not in self._versions:
            return None
        reader = self._readers[first[1] | first[2] << 8]
        try:
            return reader.columns(raw, first[1:3])
        except _BROKEN:
            return None


def _note_nulls(nulls: dict[int, list[int]], row: tuple[Any, ...], place: int) -> None:
    for index, value in enumerate(row):
        if value is None:
            nulls.setdefault(index, []).append(place)


class _Reader:
    """Reads rows of one schema version."""

    def __init__(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        self._head, self._size = layout.head, layout.head.size
        self._count = len(layout.schema.columns)
        self._no_nulls = bytes(layout.bitmap_bytes)
        self._variable = bool(layout.variable)
        self._first_end = 5 + len(layout.fixed)
        positions = {column: i for i, column in enumerate(layout.schema.columns)}
        self._columns = [positions.get((w.name, w.dtype)) for w in wanted]
        self._defaults = [w.default for w in wanted]
        self._times = [c is not None and w.dtype == "timestamp" for c, w in self._pairs(wanted)]
        self._some_time = any(self._times)
        self._decoders = [
            (c, layout.variable.index(c), decoder(w.dtype))
            for c, w in self._pairs(wanted)
            if c is not None and w.dtype not in CODES
        ]
        self._variable_of = {c: (place, decode) for c, place, decode in self._decoders}
        self._plan_row(layout, wanted)
        self._record = _record_type(layout)
        self._fields = [None if c is None else f"c{c}" for c in self._columns]
        self._filler = layout.head.pack(
            LAYOUT,
            layout.schema.version,
            0,
            0,
            ((1 << self._count) - 1).to_bytes(layout.bitmap_bytes, "little"),
            *(0 for _ in range(len(layout.fixed) + len(layout.variable))),
        )

    def _pairs(self, wanted: Sequence[Wanted]) -> list[tuple[int | None, Wanted]]:
        return list(zip(self._columns, wanted, strict=True))

    def _plan_row(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        """Fields of the head, then variable columns decoded, then defaults: pick from that."""
        base = 5 + len(layout.fixed) + len(layout.variable)
        decoded = {c: base + i for i, (c, _, _) in enumerate(self._decoders)}
        extra = base + len(self._decoders)
        picks: list[int] = []
        stand_ins: list[Any] = []
        for column, want in self._pairs(wanted):
            if column is None:
                picks.append(extra + len(stand_ins))
                stand_ins.append(want.default)
            elif column in decoded:
                picks.append(decoded[column])
            else:
                picks.append(layout.field_of(column))
        self._stand_ins = tuple(stand_ins)
        self._stand_in_null = None in stand_ins
        self._pick = _picker(picks)

    def row(self, raw: bytes) -> tuple[int, tuple[Any, ...], bool]:
        """Event time, the wanted values, and whether one of them may be None."""
        fields = self._head.unpack_from(raw)
        if fields[0] != LAYOUT:
            raise Corrupt(f"a row is of layout {fields[0]}")
        if not (EARLIEST <= fields[2] <= LATEST and EARLIEST <= fields[3] <= LATEST):
            raise Corrupt("a row has no instant that can be told")
        nulls = 0 if fields[4] == self._no_nulls else read_bitmap(fields[4], self._count)
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

    def columns(self, raw: Sequence[bytes | None], version: bytes) -> Decoded:
        """All rows at once; raises one of `_BROKEN` when any is of another version or unsound."""
        filler = self._filler
        rows = [filler if one is None else one for one in raw]
        table = self._table(rows, version)
        missing = [place for place, one in enumerate(raw) if one is None]
        bits = self._null_bits(table)
        spans = self._spans(rows, table)
        nulls: dict[int, list[int]] = {}
        columns = []
        for index, column in enumerate(self._columns):
            flags = None if bits is None or column is None else bits[:, column]
            columns.append(self._column(index, table, flags, rows, spans))
            empty = _null_places(flags, missing)
            if column is None and self._defaults[index] is None:
                empty = [place for place, one in enumerate(raw) if one is not None]
            if empty:
                nulls[index] = empty
            for place in missing if column is None else ():
                columns[-1][place] = None
        marks = [MISSING if one is None else FOUND for one in raw] if missing else None
        return Decoded(table["event"].tolist(), marks, columns, nulls)

    def _null_bits(self, table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        """One byte a row and column, 1 where null; None when no value is."""
        packed = table["nulls"]
        if not packed.any():
            return None
        bits = np.unpackbits(packed, axis=1, bitorder="little")
        if bits[:, self._count :].any():
            raise Corrupt("the null bits name columns that are not there")
        return bits

    def _table(self, rows: list[bytes], version: bytes) -> np.ndarray[Any, Any]:
        size = self._size
        heads = b"".join([row[:size] for row in rows] if self._variable else rows)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        if len(heads) != size * len(rows) or (lengths < size).any():
            raise Corrupt("a row is cut short")
        table: np.ndarray[Any, Any] = np.frombuffer(heads, self._record)
        expected = int.from_bytes(version, "little")
        sound = (table["layout"] == LAYOUT) & (table["schema"] == expected)
        for name in ("event", "created"):
            sound &= (table[name] >= EARLIEST) & (table[name] <= LATEST)
        if self._variable:
            ends = table["ends"]
            sound &= lengths == size + ends[:, -1].astype(np.int64)
            sound &= (ends[:, 1:] >= ends[:, :-1]).all(axis=1)
        else:
            sound &= lengths == size
        if not sound.all():
            raise Corrupt("a row is not what a writer writes")
        return table

    def _spans(self, rows: list[bytes], table: np.ndarray[Any, Any]) -> list[list[int]]:
        """Where each variable column ends in each row, counted from the row's first byte."""
        if not self._decoders:
            return []
        ends = table["ends"].astype(np.int64) + self._size
        return [[self._size] * len(rows), *ends.T.tolist()]

    def _column(
        self,
        index: int,
        table: np.ndarray[Any, Any],
        flags: np.ndarray[Any, Any] | None,
        rows: list[bytes],
        spans: list[list[int]],
    ) -> list[Any]:
        column = self._columns[index]
        if column is None:
            return [self._defaults[index]] * len(rows)
        variable = self._variable_of.get(column)
        if variable is not None:
            place, decode = variable
            null = flags.tolist() if flags is not None else [0] * len(rows)
            cuts = zip(null, rows, spans[place], spans[place + 1], strict=True)
            return [None if none else decode(row[s:e]) for none, row, s, e in cuts]
        values = table[self._fields[index]]
        if self._times[index] and ((values < EARLIEST) | (values > LATEST)).any():
            raise Corrupt("a timestamp in a row is no instant")
        listed: list[Any] = values.tolist()
        if flags is not None:
            for place in np.flatnonzero(flags).tolist():
                listed[place] = None
        return listed


def _null_places(flags: np.ndarray[Any, Any] | None, missing: list[int]) -> list[int]:
    """The rows whose value is null, those left out that were not found at all."""
    if flags is None:
        return []
    places: list[int] = np.flatnonzero(flags).tolist()
    if not missing:
        return places
    gone = set(missing)
    return [place for place in places if place not in gone]


def _picker(picks: list[int]) -> Any:
    """A function from a tuple to the tuple of the picked items."""
    if not picks:
        return lambda fields: ()
    if len(picks) == 1:
        only = picks[0]
        return lambda fields: (fields[only],)
    return itemgetter(*picks)


def _record_type(layout: Layout) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = [
        ("layout", "u1"),
        ("schema", "<u2"),
        ("event", "<i8"),
        ("created", "<i8"),
        ("nulls", "u1", (layout.bitmap_bytes,)),
    ]
    for column in layout.fixed:
        fields.append((f"c{column}", _NUMPY[CODES[layout.schema.columns[column][1]]]))
    if layout.variable:
        fields.append(("ends", "<u4", (len(layout.variable),)))
    return np.dtype(fields)
