from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Invalid, Refused
from warehouse.appends import append
from warehouse.catalog import Catalog

ROWS = pa.table({"id": [1], "value": [0.5]})


def table(root: Path, name: str = "stats") -> pa.Table:
    return pa.concat_tables(pq.read_table(f) for f in Catalog(root, {}).files(name))


def test_a_single_file_becomes_a_folder_that_holds_it(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "stats.parquet")
    assert append(Catalog(tmp_path, {}), "stats", ROWS, "more")
    assert sorted(f.name for f in (tmp_path / "stats").iterdir()) == [
        "more.parquet",
        "whole.parquet",
    ]
    assert table(tmp_path).num_rows == 2


def test_columns_are_fitted_to_the_tables_types_and_missing_ones_are_null(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([1], pa.int32()), "x": ["a"]}), tmp_path / "s.parquet")
    append(Catalog(tmp_path, {}), "s", pa.table({"id": [2]}), "more")
    assert table(tmp_path, "s").sort_by("id").to_pylist() == [
        {"id": 1, "x": "a"},
        {"id": 2, "x": None},
    ]


def test_what_the_table_cannot_take_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, {})
    append(catalog, "stats", ROWS, "first")
    with pytest.raises(Invalid, match="no column other"):
        append(catalog, "stats", pa.table({"other": [1]}), "second")
    with pytest.raises(Invalid, match="column 'value'"):
        append(catalog, "stats", pa.table({"value": ["much"]}), "second")
    with pytest.raises(Invalid, match="cannot name"):
        append(catalog, "stats", ROWS, "../second")
    assert [f.name for f in (tmp_path / "stats").iterdir()] == ["first.parquet"]


def test_a_table_named_by_pattern_takes_rows_and_one_fixed_to_a_file_does_not(
    tmp_path: Path,
) -> None:
    pq.write_table(ROWS, tmp_path / "one.parquet")
    named = Catalog(
        tmp_path / "w", {"by": tmp_path / "*.parquet", "fixed": tmp_path / "one.parquet"}
    )
    assert append(named, "by", ROWS, "more")
    assert len(named.files("by")) == 2
    with pytest.raises(Refused, match="pattern"):
        append(named, "fixed", ROWS, "again")
