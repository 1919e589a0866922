"""Which row groups a join reads, in which order, and what it makes of large ones."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.testing import feature, view
from tests.warehouses import hour, hours, source
from warehouse.asof import plan_as_of
from warehouse.engines import key_times
from warehouse.engines.key_times import Wanted, can_scan, in_time_order, scan
from warehouse.engines.parquet_groups import FILE_SHIFT, row_groups
from warehouse.engines.parts import Bounds
from warehouse.engines.spine_keys import SpineKeys
from warehouse.instants import ticks_of


def past(ids: Sequence[int | None], *at: float | None) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "at": hours(*at), "x": [0.0] * len(ids)})


def files(folder: Path, *tables: pa.Table, rows: int = 2) -> list[str]:
    names = [str(folder / f"{number}.parquet") for number in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        pq.write_table(table, name, row_group_size=rows)
    return names


def wanted(table: pa.Table, latest: float = 9, earliest: float | None = None) -> Wanted:
    """Keys 1 to 3, up to an hour."""
    plan = plan_as_of(view("past", [feature("x")], source=source("past")), ["x"], table.schema)
    keys = SpineKeys(np.arange(3), np.arange(3), None, 1, 3)
    low = None if earliest is None else ticks_of(hour(earliest), plan.unit)
    return Wanted(plan, keys, Bounds(ticks_of(hour(latest), plan.unit), low, 1, 3))


def test_row_groups_come_by_time_whatever_the_order_of_files(tmp_path: Path) -> None:
    tables = [past([1, 2], 5, 6), past([1, 2], 2, 1), past([3, 3], 6, 8)]
    groups, rising = in_time_order(row_groups(files(tmp_path, *tables)), wanted(tables[0]))
    assert [group.start >> FILE_SHIFT for group in groups] == [1, 0, 2]
    assert rising


def test_row_groups_that_overlap_are_of_no_order(tmp_path: Path) -> None:
    tables = [past([1, 2], 5, 7), past([1, 2], 6, 8)]
    assert not in_time_order(row_groups(files(tmp_path, *tables)), wanted(tables[0]))[1]


def test_row_groups_outside_of_what_is_asked_are_not_read(tmp_path: Path) -> None:
    names = files(tmp_path, past([1] * 8, *range(8)))
    groups, _ = in_time_order(row_groups(names), wanted(past([], *[]), latest=5, earliest=3))
    assert [group.number for group in groups] == [1, 2]


def test_a_row_group_without_times_is_left_to_be_read(tmp_path: Path) -> None:
    names = files(tmp_path, past([1, 1, 1, 1], None, None, 1, 2))
    groups, rising = in_time_order(row_groups(names), wanted(past([], *[])))
    assert (len(groups), rising) == (2, True)


@pytest.mark.parametrize("large", [1, 100], ids=["in slices", "at once"])
def test_parts_hold_the_rows_that_can_be_found(
    large: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_times, "_LARGE_ROWS", large)
    monkeypatch.setattr(key_times, "_SLICE_ROWS", 3)
    monkeypatch.setattr(key_times, "_PART_ROWS", 2)
    table = past([1, None, 3, 4, 0, 2], 1, 2, None, 4, 5, 6)
    groups = row_groups(files(tmp_path, table, table, rows=6))
    with ThreadPoolExecutor(2) as pool:
        parts = list(scan(groups, wanted(table), pool))
    second = 1 << FILE_SHIFT
    assert [one for part in parts for one in part.position] == [0, 5, second, second + 5]
    assert [one for part in parts for one in part.codes] == [0, 1, 0, 1]


def test_times_without_a_zone_are_read_here_only_where_they_are_utc() -> None:
    schema = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us")), ("x", pa.float64())])
    asked = wanted(past([], *[]))
    assert can_scan([schema], asked, "UTC")
    assert not can_scan([schema], asked, "Europe/Berlin")
