"""Values of source rows read from Parquet straight to the spine rows that take them. Knows no SQL.

Row groups of which no row is wanted are not read, and large ones some rows at a time, so that
memory goes with what is wanted and not with what lies there. One column is read after the other:
the places that its values go to lie close together, and a cache holds them.
"""

from collections.abc import Sequence
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


def wanted_of(groups: Sequence[RowGroup], position: Int64s, pool: Executor) -> AllWanted:
    """Each spine row's position (-1 for none) by row group. Raises `Unavailable`."""
    missing = position < 0
    at = np.flatnonzero(~missing)
    position = position[at]
    starts = np.array([group.start for group in groups], dtype=np.int64)
    number = _places(starts, position, pool)
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


def _places(starts: Int64s, position: Int64s, pool: Executor) -> Int64s:
    """Which start each position lies behind."""
    shares = np.array_split(position, 4)
    found = pool.map(lambda share: np.searchsorted(starts, share, side="right"), shares)
    return np.concatenate(list(found)) - 1


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
    tasks = [
        (group, column.source_column, one)
        for column, one in zip(columns, filled, strict=True)
        for group in wanted.groups
    ]
    with reading():
        for _ in pool.map(lambda task: _fill(*task), tasks):
            pass
    return [one.result() for one in filled]


def _filled(arrow: pa.DataType, wanted: AllWanted) -> Filled:
    if is_number(arrow):
        return Numbers(arrow, wanted.missing)
    return Pieces(arrow, wanted.missing, wanted.at)


def _fill(wanted: Wanted, name: str, filled: Filled) -> None:
    """Read a row group's column and hand on the wanted rows: of a small one all at once."""
    group = wanted.group
    if group.rows <= _SMALL_ROWS:
        filled.put(wanted.first, group.read([name]).column(name), wanted.row, wanted.at)
        return
    start = 0
    for batch in group.batches([name], _SLICE_ROWS):
        low, high = np.searchsorted(wanted.row, [start, start + batch.num_rows]).tolist()
        if low < high:
            row, at = wanted.row[low:high] - start, wanted.at[low:high]
            filled.put(wanted.first + low, batch.column(name), row, at)
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
