from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Invalid, Misuse
from tests.warehouses import duckdb_engine, hours
from training.spine import read_spine
from warehouse.testing import InMemoryEngine

TABLE = pa.table({"id": [2, 1], "t": hours(1, 2)})
ENGINE = InMemoryEngine()


@pytest.mark.parametrize(
    "spine",
    [
        TABLE,
        TABLE.to_reader(),
        TABLE.to_batches()[0],
        pd.DataFrame({"id": [2, 1], "t": TABLE.column("t").to_pandas()}),
        pl.from_arrow(TABLE),
        pl.from_arrow(TABLE).lazy(),  # type: ignore[union-attr]
    ],
    ids=["table", "reader", "batch", "pandas", "polars", "polars lazy"],
)
def test_a_spine_may_be_any_table(spine: object) -> None:
    assert read_spine(spine, ENGINE).to_pylist() == TABLE.to_pylist()


def test_a_spine_may_be_files(tmp_path: Path) -> None:
    for place in range(2):
        pq.write_table(TABLE.slice(place, 1), tmp_path / f"{place}.parquet")
    assert read_spine(str(tmp_path / "*.parquet"), ENGINE).equals(TABLE)
    assert read_spine(tmp_path, ENGINE).equals(TABLE)
    assert read_spine(tmp_path / "0.parquet", ENGINE).num_rows == 1


def test_a_spine_may_be_a_query(tmp_path: Path) -> None:
    engine = duckdb_engine(tmp_path, {"rows": TABLE})
    assert read_spine("\n  select id from rows order by id", engine).to_pydict() == {"id": [1, 2]}


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(Misuse, match=r"no Parquet file at gone\.parquet"):
        read_spine("gone.parquet", ENGINE)


def test_a_frame_of_mixed_zones_is_refused() -> None:
    mixed = pd.DataFrame({"t": [pd.Timestamp("2013-01-01", tz="UTC"), "2013-01-01"]}, dtype=object)
    with pytest.raises(Invalid, match="times of unlike zones"):
        read_spine(mixed, ENGINE)


def test_anything_else_is_refused() -> None:
    with pytest.raises(Misuse, match="from list"):
        read_spine([1, 2], ENGINE)


def test_texts_held_as_views_are_read_as_plain_ones() -> None:
    held = pa.table({"id": pa.array(["a", None]).cast(pa.string_view())})
    found = read_spine(held, ENGINE)
    assert found.schema.field("id").type == pa.large_string()
    assert found.column("id").to_pylist() == ["a", None]
