"""Values of source rows read from Parquet straight to the spine rows that take them. Knows no SQL.

Row groups of which no row is wanted are not read, of the others some columns at a time and, of
large ones, some rows at a time, so that memory goes with what is wanted and not with what lies
there.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from registry.kernel.types import arrow_type
from warehouse.engines.columns import Filled, Numbers, Pieces, is_number
from warehouse.engines.counting_sort import sort_by_code
from warehouse.engines.parquet_groups import RowGroup, changed, reading
from warehouse.engines.parts import Bools, Int64s
from warehouse.history import HistoryColumn

_SLICE_ROWS = 131_072
_SMALL_ROWS = 2 * _SLICE_ROWS
_COLUMNS_AT_ONCE = 5  # of one row group: what was decoded is still in the cache when it is taken


_Columns = Sequence[tuple[str, Filled]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows `row` of a row group, counted from its first, and the spine rows `at` they go to.

    `first` counts the rows wanted of the row groups before. Rows of a large row group rise.
    """

    group: RowGroup
    first: int
    row: Int64s
    at: Int64s


@dataclass(frozen=True, slots=True)
class AllWanted:
    """What is wanted of every row group, and all spine rows in that order; `missing` marks those
    that want nothing."""

    missing: Bools
    at: Int64s
    groups: list[Wanted]


def wanted_of(groups: Sequence[RowGroup], position: Int64s) -> AllWanted:
    """Each spine row's position (-1 for none) by row group. Raises `Unavailable`."""
    missing = position < 0
    at = np.flatnonzero(~missing)
    position = position[at]
    starts = np.array([group.start for group in groups], dtype=np.int64)
    number = np.searchsorted(starts, position, side="right") - 1
    small = all(group.rows <= _SMALL_ROWS for group in groups)
    sort = sort_by_code(number) if small else np.argsort(position)
    at, row = at[sort], position[sort]
    edges = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(groups)))])
    found = []
    for group, (low, high) in zip(groups, pairwise(edges.tolist()), strict=True):
        if low < high:
            found.append(Wanted(group, low, row[low:high] - group.start, at[low:high]))
            if int(found[-1].row.max()) >= group.rows:
                raise changed(f"{group.file} has fewer rows now")
    return AllWanted(missing, at, found)


def can_fetch(
    schemas: Sequence[pa.Schema], columns: Sequence[HistoryColumn]
) -> list[HistoryColumn]:
    """The columns whose stored type means in Arrow what it means to the engine, in all files."""
    return [c for c in columns if all(_plain(schema, c) for schema in schemas)]


def fetch_columns(
    wanted: AllWanted, columns: Sequence[HistoryColumn], pool: Executor
) -> list[pa.Array | pa.ChunkedArray]:
    """Each column's values for every spine row, of its declared type, null for the missing.

    Raises `Unavailable` when a file is gone or is no longer what it was.
    """
    filled = [_filled(arrow_type(column.dtype), wanted) for column in columns]
    names = [column.source_column for column in columns]
    shares = _shares(list(zip(names, filled, strict=True)))
    tasks = [(group, share) for group in wanted.groups for share in shares]
    with reading():
        for _ in pool.map(lambda task: _fill(*task), tasks):
            pass
    return [one.result() for one in filled]


def _filled(arrow: pa.DataType, wanted: AllWanted) -> Filled:
    if is_number(arrow):
        return Numbers(arrow, wanted.missing)
    return Pieces(arrow, wanted.missing, wanted.at)


def _shares(columns: _Columns) -> list[_Columns]:
    """Columns to read at once, no more than some, about as many each time."""
    count = -(-len(columns) // _COLUMNS_AT_ONCE)
    return [columns[start::count] for start in range(count)]


def _fill(wanted: Wanted, columns: _Columns) -> None:
    """Read a row group's columns and hand on the wanted rows."""
    names = list(dict.fromkeys(name for name, _ in columns))
    for piece, first, row, at in _slices(wanted, names):
        for name, filled in columns:
            filled.put(first, piece.column(name), row, at)


def _slices(
    wanted: Wanted, names: list[str]
) -> Iterator[tuple[pa.Table | pa.RecordBatch, int, Int64s, Int64s]]:
    """Rows that lie together and the wanted ones of them: those of a small row group at once."""
    group = wanted.group
    with group.open() as file:
        if group.rows <= _SMALL_ROWS:
            table = file.read_row_group(group.number, names, use_threads=False)
            yield table, wanted.first, wanted.row, wanted.at
            return
        start = 0
        for batch in file.iter_batches(_SLICE_ROWS, [group.number], names, use_threads=False):
            low, high = np.searchsorted(wanted.row, [start, start + batch.num_rows])
            if low < high:
                yield batch, wanted.first + low, wanted.row[low:high] - start, wanted.at[low:high]
            start += batch.num_rows


def _plain(schema: pa.Schema, column: HistoryColumn) -> bool:
    if schema.names.count(column.source_column) != 1:
        return False
    stored, wanted = schema.field(column.source_column).type, arrow_type(column.dtype)
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    text = pa.types.is_string(stored) or pa.types.is_large_string(stored)
    if stored == wanted or (text and column.dtype == "string"):
        return True
    return _widens(stored, wanted)


def _widens(stored: pa.DataType, wanted: pa.DataType) -> bool:
    whole = pa.types.is_signed_integer(stored) and pa.types.is_signed_integer(wanted)
    if whole or (pa.types.is_floating(stored) and pa.types.is_floating(wanted)):
        return bool(stored.bit_width <= wanted.bit_width)
    return False
