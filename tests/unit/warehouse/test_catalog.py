from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Invalid, NotFound, Unavailable
from tests.warehouses import project
from warehouse.catalog import read_catalog

TABLE = pa.table({"a": [1]})


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(TABLE, file)
    return file


def test_a_table_is_a_file_or_a_folder_under_the_root(tmp_path: Path) -> None:
    one = put(tmp_path / "warehouse_data/one.parquet")
    parts = [put(tmp_path / f"warehouse_data/many/{n}.parquet") for n in "ab"]
    catalog = read_catalog(project(tmp_path))
    assert catalog.names() == ("many", "one")
    assert catalog.files("one") == (str(one),)
    assert catalog.files("many") == tuple(map(str, parts))


def test_a_table_may_be_named_by_path_or_glob(tmp_path: Path) -> None:
    file = put(tmp_path / "elsewhere/2013/x.parquet")
    text = '[warehouse.tables]\nx = "elsewhere/2013/x.parquet"\ny = "elsewhere/*/*.parquet"\n'
    catalog = read_catalog(project(tmp_path, text))
    assert catalog.files("x") == catalog.files("y") == (str(file),)
    assert str(tmp_path / "elsewhere") in catalog.folders()


def test_a_missing_table_is_answered_with_the_nearest(tmp_path: Path) -> None:
    put(tmp_path / "warehouse_data/flights.parquet")
    with pytest.raises(NotFound, match="nearest: flights"):
        read_catalog(project(tmp_path)).files("flight")


def test_a_named_table_without_files_says_where_it_looked(tmp_path: Path) -> None:
    catalog = read_catalog(project(tmp_path, '[warehouse.tables]\nx = "gone/*.parquet"\n'))
    with pytest.raises(Unavailable, match="gone"):
        catalog.files("x")


def test_tables_that_are_not_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="must map table names to paths"):
        read_catalog(project(tmp_path, "[warehouse.tables]\nx = 1\n"))
