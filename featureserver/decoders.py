"""Compiled readers of packed rows: one per view and set of features asked for. Pure.

Sound rows of one schema version are read all at once with a `struct.Struct` that skips what is not
asked for; anything else is read row by row. Both give the wire values (`values`) that `rows.unpack`
gives, column by column.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter, lt
from typing import Any

import msgspec

from featureserver.instants import EARLIEST, LATEST, check_micros
from featureserver.rows import LAYOUT, Layout, layout_of
from featureserver.values import CODES, cut, decoder, read_bitmap
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt

FOUND, MISSING, CORRUPT = 0, 1, 2
_BROKEN = (Corrupt, struct.error, KeyError, IndexError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A feature to read; `default` (wire) stands in for rows written before it existed."""

    name: str
    dtype: str
    default: Any = None


class Decoded(msgspec.Struct, frozen=True, eq=False):
    """n rows: event times in microseconds (0 where none), and n values per feature.

    `marks` is FOUND, MISSING or CORRUPT per row, or None when every row was found. `nulls` maps
    the index of a column to the found rows in which its value is None; columns without are absent.
    """

    events: Sequence[int]
    marks: list[int] | None
    columns: list[Sequence[Any]]
    nulls: dict[int, list[int]]


class Decoder:
    """Reads rows of any known schema version into the columns of the wanted features."""

    def __init__(self, schemas: Mapping[int, RowSchema], wanted: Sequence[Wanted]) -> None:
        self._readers = {v: _Reader(layout_of(s), wanted) for v, s in schemas.items()}
        self._width = len(wanted)
        self._empty = (None,) * self._width

    def decode(self, raw: Sequence[bytes | None]) -> Decoded:
        """Read rows in order; a row that cannot be read spoils itself alone."""
        try:
            return self._single(raw[0]) if len(raw) == 1 else self._at_once(raw)
        except _BROKEN:
            return self._by_row(raw)

    def _single(self, one: bytes | None) -> Decoded:
        if one is None:
            return Decoded((0,), [MISSING], [(None,)] * self._width, {})
        event, row, some = self._readers[one[1] | one[2] << 8].row(one)
        nulls: dict[int, list[int]] = {}
        if some:
            _note_nulls(nulls, row, 0)
        return Decoded((event,), None, list(zip(row)), nulls)

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
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        columns = columns or [()] * self._width
        return Decoded(events, marks if any(marks) else None, columns, nulls)

    def _at_once(self, raw: Sequence[bytes | None]) -> Decoded:
        """All rows, when they are sound and of one schema version; else one of `_BROKEN`."""
        first = next((one for one in raw if one is not None), None)
        if first is None:
            raise Corrupt("there is no row")
        reader = self._readers[first[1] | first[2] << 8]
        if None not in raw:
            return reader.rows(raw, [])  # type: ignore[arg-type]
        missing = [place for place, one in enumerate(raw) if one is None]
        return reader.rows([reader.filler if one is None else one for one in raw], missing)


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
        self._plan_row(layout, wanted)
        self._plan_rows(layout, wanted)
        self.filler = layout.head.pack(
            LAYOUT,
            layout.schema.version,
            0,
            0,
            ((1 << self._count) - 1).to_bytes(layout.bitmap_bytes, "little"),
            *(0 for _ in range(len(layout.fixed) + len(layout.variable))),
        )

    def _plan_rows(self, layout: Layout, wanted: Sequence[Wanted]) -> None:
        """A struct of the header, the wanted fixed columns and every end; where each is found."""
        asked = {column for column in self._columns if column is not None}
        codes: list[str] = []
        found: dict[int, int] = {}
        for column in layout.fixed:
            code = CODES[layout.schema.columns[column][1]]
            if column in asked:
                found[column] = 4 + len(found)
                codes.append(code)
            else:
                codes.append(f"{struct.calcsize('<' + code)}x")
        self._ends = 4 + len(found)
        ends = len(layout.variable)
        self._some = struct.Struct(f"<3sqq{layout.bitmap_bytes}s{''.join(codes)}{ends}I")
        self._start = struct.pack("<BH", LAYOUT, layout.schema.version)
        for place, (column, _, _) in enumerate(self._decoders):
            found[column] = self._ends + ends + place
        self._places = [None if column is None else found[column] for column in self._columns]
        self._time_places = [index for index, time in enumerate(self._times) if time]

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

    def rows(self, rows: Sequence[bytes], missing: list[int]) -> Decoded:
        """All rows at once, fillers in the place of missing ones; raises one of `_BROKEN` when
        any is of another version or unsound."""
        fields = self._heads([row[: self._size] for row in rows] if self._variable else rows)
        events, bitmaps = fields[1], fields[3]
        flags = None if set(bitmaps) == {self._no_nulls} else self._null_flags(bitmaps)
        if self._variable:
            fields += self._pieces(rows, fields, flags)
        nulls: dict[int, list[int]] = {}
        columns: list[Sequence[Any]] = [
            self._stand_in(index, len(rows), nulls) if place is None else fields[place]
            for index, place in enumerate(self._places)
        ]
        if flags is not None:
            self._take_out_nulls(columns, flags, nulls)
        for index in self._time_places:
            check_micros(value for value in columns[index] if value is not None)
        if not missing:
            return Decoded(events, None, columns, nulls)
        _take_out_missing(columns, nulls, missing)
        marks = [FOUND] * len(rows)
        for row in missing:
            marks[row] = MISSING
        return Decoded(events, marks, columns, nulls)

    def _heads(self, heads: Sequence[bytes]) -> list[tuple[Any, ...]]:
        """The fields of `_some`, each a tuple of one value a row."""
        if set(map(len, heads)) != {self._size}:
            raise Corrupt("a row is not as long as it says")
        fields = list(zip(*self._some.iter_unpack(b"".join(heads)), strict=True))
        starts, events, created = fields[:3]
        if set(starts) != {self._start}:
            raise Corrupt("rows of several versions")
        low, high = min(min(events), min(created)), max(max(events), max(created))
        if not EARLIEST <= low <= high <= LATEST:
            raise Corrupt("a row has no instant that can be told")
        return fields

    def _null_flags(self, bitmaps: Sequence[bytes]) -> list[int]:
        return [read_bitmap(bits, self._count) for bits in bitmaps]

    def _stand_in(self, index: int, count: int, nulls: dict[int, list[int]]) -> list[Any]:
        """A column that rows of this version do not have."""
        default = self._defaults[index]
        if default is None:
            nulls[index] = list(range(count))
        return [default] * count

    def _take_out_nulls(
        self, columns: list[Sequence[Any]], flags: list[int], nulls: dict[int, list[int]]
    ) -> None:
        rows = [(row, bits) for row, bits in enumerate(flags) if bits]
        for index, column in enumerate(self._columns):
            if column is None:
                continue
            empty = [row for row, bits in rows if bits >> column & 1]
            if empty:
                columns[index] = values = list(columns[index])
                nulls[index] = empty
                for row in empty:
                    values[row] = None

    def _pieces(
        self, rows: Sequence[bytes], fields: list[Any], flags: list[int] | None
    ) -> list[Any]:
        """The decoded columns of variable length; every row is as long as its last end says."""
        ends = fields[self._ends :]
        size, before = self._size, (0,) * len(rows)
        for end in ends:
            if any(map(lt, end, before)):
                raise Corrupt("the parts of a row overlap")
            before = end
        if any(len(row) != size + end for row, end in zip(rows, before, strict=True)):
            raise Corrupt("a row is not as long as it says")
        none = flags or (0,) * len(rows)
        return [
            [
                None if bits >> column & 1 else decode(row[size + start : size + end])
                for row, start, end, bits in zip(
                    rows, ends[i - 1] if i else (0,) * len(rows), ends[i], none, strict=True
                )
            ]
            for column, i, decode in self._decoders
        ]


def _take_out_missing(
    columns: list[Sequence[Any]], nulls: dict[int, list[int]], missing: list[int]
) -> None:
    """What fillers gave is no value; nulls are of found rows only."""
    for index, values in enumerate(columns):
        changed = list(values)
        for row in missing:
            changed[row] = None
        columns[index] = changed
    gone = set(missing)
    for index, rows in list(nulls.items()):
        nulls[index] = [row for row in rows if row not in gone]
        if not nulls[index]:
            del nulls[index]


def _picker(picks: list[int]) -> Any:
    """A function from a tuple to the tuple of the picked items."""
    if not picks:
        return lambda fields: ()
    if len(picks) == 1:
        only = picks[0]
        return lambda fields: (fields[only],)
    return itemgetter(*picks)
