"""A column of somebody's file becomes a sketch like a feature's, or is refused with a reason."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.similarity.values import compare
from registry.kernel.clock import FixedClock
from registry.kernel.errors import FieldhouseError, Invalid, Misuse, NotFound
from registry.kernel.settings import Settings
from warehouse.bootstrap import open_engine
from warehouse.example_values import ExampleSketcher

NOW = datetime(2013, 6, 1, tzinfo=UTC)
ROWS = 2000
IDS = [n % 50 for n in range(ROWS)]
TIMES = [NOW - timedelta(hours=n) for n in range(ROWS)]
PRICES = [float((n * 7919) % 1009) for n in range(ROWS)]
KEYS = {"id": "id"}


def file(folder: Path, name: str = "x.parquet", **columns: Any) -> Path:
    held = {"id": IDS, "at": TIMES, "price": PRICES, **columns}
    path = folder / name
    pq.write_table(pa.table(held), path)
    return path


@pytest.fixture
def sketcher(tmp_path: Path) -> ExampleSketcher:
    return ExampleSketcher(partial(open_engine, Settings(tmp_path, None, {}, {})), FixedClock(NOW))


@pytest.mark.parametrize(
    "ids",
    [pa.array(IDS, pa.float64()), pa.array(map(str, IDS)), pa.array(IDS, pa.int32())],
    ids=["float", "text", "int32"],
)
def test_keys_of_another_type_are_the_same_keys(
    sketcher: ExampleSketcher, tmp_path: Path, ids: pa.Array
) -> None:
    one = sketcher(file(tmp_path), "price", KEYS, "at")
    other = sketcher(file(tmp_path, "y.parquet", id=ids), "price", KEYS, "at")
    assert one is not None
    assert other is not None
    assert one.keys == other.keys
    found = compare(one, other)
    assert found is not None
    assert (found.relation, found.share) == ("equal", 1.0)


def test_a_csv_is_read_as_parquet_is(sketcher: ExampleSketcher, tmp_path: Path) -> None:
    rows = zip(IDS, TIMES, PRICES, strict=True)
    lines = [f"{i},{t:%Y-%m-%dT%H:%M:%S}Z,{p}" for i, t, p in rows]
    (tmp_path / "x.csv").write_text("\n".join(["id,at,price", *lines]))
    one = sketcher(file(tmp_path), "price", KEYS, "at")
    other = sketcher(tmp_path / "x.csv", "price", KEYS, "at")
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.values, other.values)


def test_rows_without_a_key_or_a_time_are_left_out(
    sketcher: ExampleSketcher, tmp_path: Path
) -> None:
    none = pa.nulls(ROWS, pa.timestamp("us", "UTC"))
    assert sketcher(file(tmp_path, at=none), "price", KEYS, "at") is None


@pytest.mark.parametrize(
    ("columns", "asked", "error", "why"),
    [
        ({}, ("prise", KEYS, "at"), NotFound, "no column 'prise'"),
        ({}, ("price", {"id": "key"}, "at"), NotFound, "no column 'key'"),
        ({}, ("price", KEYS, "when"), NotFound, "no column 'when'"),
        ({}, ("price", KEYS, "price"), Invalid, "no times"),
        ({"at": ["soon"] * ROWS}, ("price", KEYS, "at"), Invalid, "no times"),
        ({"price": [[1]] * ROWS}, ("price", KEYS, "at"), Invalid, "holds list"),
        ({"id": [0.5] * ROWS}, ("price", KEYS, "at"), Invalid, "fractions"),
    ],
)
def test_a_column_that_cannot_be_an_example_says_why(
    sketcher: ExampleSketcher,
    tmp_path: Path,
    columns: dict[str, Any],
    asked: tuple[str, dict[str, str], str],
    error: type[FieldhouseError],
    why: str,
) -> None:
    path = file(tmp_path, **columns)
    with pytest.raises(error, match=why):
        sketcher(path, *asked)


def test_a_file_that_is_none_is_refused(sketcher: ExampleSketcher, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no file"):
        sketcher(tmp_path / "none.parquet", "price", KEYS, "at")
    (tmp_path / "bad.parquet").write_text("not parquet at all")
    with pytest.raises(Invalid, match="can be read"):
        sketcher(tmp_path / "bad.parquet", "price", KEYS, "at")


def test_texts_of_a_megabyte_are_values_like_others(
    sketcher: ExampleSketcher, tmp_path: Path
) -> None:
    long = ["x" * 1_000_000, *(f"word {n % 9}" for n in range(ROWS - 1))]
    made = sketcher(file(tmp_path, price=long), "price", KEYS, "at")
    assert made is not None
    assert made.kind == "category"
    assert max(len(text) for _, text in made.words) <= 60
