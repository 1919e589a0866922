"""Compiled readers of packed rows: one per view and set of features asked for. Pure.

Sound rows of one layout and schema version are read all at once (`batch_reader`); anything else is
read row by row (`row_reader`). Both give the wire values (`values`) that `rows.unpack` gives,
column by column.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from featureserver.batch_reader import BatchReader
from featureserver.row_reader import RowReader, Wanted, columns_of
from featureserver.rows import PLAIN, WITH_CREATED, Layout, layout_of
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt

__all__ = ["CORRUPT", "FOUND", "MISSING", "Decoded", "Decoder", "Wanted"]

FOUND, MISSING, CORRUPT = 0, 1, 2
_BROKEN = (Corrupt, struct.error, KeyError, IndexError, UnicodeDecodeError)
# So many rows are read faster one by one.
_FEW = 4


class Decoded(msgspec.Struct, frozen=True, eq=False, gc=False):
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
        layouts = [layout_of(s, n) for s in schemas.values() for n in (PLAIN, WITH_CREATED)]
        self._one = {layout.start: RowReader(layout, wanted).read for layout in layouts}
        self._many = {layout.start: BatchReader(layout, wanted).read for layout in layouts}
        self._empty = (None,) * len(wanted)
        self._layouts = {layout.start: layout for layout in layouts}
        self._wanted = wanted

    def layout(self, start: bytes) -> tuple[Layout, list[int | None]] | None:
        """The layout of rows that start so (3 bytes), and the column of each wanted feature, None
        where they have none; None for a start that no row has."""
        found = self._layouts.get(start)
        return None if found is None else (found, columns_of(found, self._wanted))

    def decode(self, raw: Sequence[bytes | None]) -> Decoded:
        """Read rows in order; a row that cannot be read spoils itself alone."""
        try:
            if len(raw) == 1:
                return self._single(raw[0])
            if len(raw) >= _FEW:
                return self._at_once(raw)
        except _BROKEN:
            pass
        return self._by_row(raw)

    def one(self, raw: bytes) -> tuple[int, tuple[Any, ...], bool] | None:
        """One row's event time, its values, and whether one of them may be None; None when it
        cannot be read."""
        try:
            return self._one[raw[:3]](raw)
        except _BROKEN:
            return None

    def _single(self, one: bytes | None) -> Decoded:
        if one is None:
            return Decoded((0,), [MISSING], [(None,)] * len(self._empty), {})
        event, row, some = self._one[one[:3]](one)
        nulls: dict[int, list[int]] = {}
        if some:
            _note_nulls(nulls, row, 0)
        return Decoded((event,), None, list(zip(row)), nulls)

    def _by_row(self, raw: Sequence[bytes | None]) -> Decoded:
        events, marks, rows = [], [], []
        nulls: dict[int, list[int]] = {}
        readers, empty = self._one, self._empty
        for place, one in enumerate(raw):
            event, mark, row = 0, FOUND, empty
            if one is None:
                mark = MISSING
            else:
                try:
                    event, row, some = readers[one[:3]](one)
                    if some:
                        _note_nulls(nulls, row, place)
                except _BROKEN:
                    mark, row = CORRUPT, empty
            events.append(event)
            marks.append(mark)
            rows.append(row)
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        columns = columns or [()] * len(empty)
        return Decoded(events, marks if any(marks) else None, columns, nulls)

    def _at_once(self, raw: Sequence[bytes | None]) -> Decoded:
        """All rows, when they are sound and of one layout and schema version; else raises one of
        `_BROKEN`."""
        first = next((one for one in raw if one is not None), b"")
        events, missing, columns, nulls = self._many[first[:3]](raw)
        marks = None
        if missing:
            marks = [FOUND] * len(raw)
            for row in missing:
                marks[row] = MISSING
        return Decoded(events, marks, columns, nulls)


def _note_nulls(nulls: dict[int, list[int]], row: tuple[Any, ...], place: int) -> None:
    for index, value in enumerate(row):
        if value is None:
            nulls.setdefault(index, []).append(place)
