from pathlib import Path

import pyarrow as pa
import pytest

from registry.core.definitions import Expectation
from registry.core.value_diff import ValueDiff, bars
from registry.kernel.clock import FixedClock
from registry.testing import feature, view
from tests.warehouses import duckdb_engine, hour, memory_engine, source
from warehouse.sample_quality import SampledExpectations
from warehouse.sampled_values import SampledValues

NOW = FixedClock(hour(24 * 10))
COUNT = 40


def readings(values: list[float | None], name: str = "x") -> pa.Table:
    at = pa.array([hour(1)] * len(values), pa.timestamp("us", tz="UTC"))
    return pa.table({"id": list(range(len(values))), "at": at, name: values})


def compared(folder: Path, old: list[float | None], new: list[float | None]) -> ValueDiff:
    engine = duckdb_engine(folder, {"a": readings(old), "b": readings(new)})
    before, after = (view("v", [feature("x")], source=source(name)) for name in "ab")
    (found,) = SampledValues(engine, NOW, keys=COUNT)(before, after, ["x"])
    return found


def test_equal_values_are_no_change(tmp_path: Path) -> None:
    same = [float(n) for n in range(COUNT)]
    found = compared(tmp_path, same, [v * (1 + 1e-12) for v in same])
    assert (found.rows, found.changed, found.shift) == (3 * COUNT, 0, pytest.approx(0, abs=0.03))


def test_changed_values_are_counted_and_the_greatest_shown_first(tmp_path: Path) -> None:
    old: list[float | None] = [float(n) for n in range(COUNT)]
    new = [*old[:10], *(v + 100 if v is not None else v for v in old[10:])]
    new[39] = 1000.0
    found = compared(tmp_path, old, new)
    assert found.share_changed == pytest.approx(0.75)
    assert found.shift == pytest.approx(0.75)
    assert (found.examples[0].key, found.examples[0].new) == ("39", "1000")
    assert sum(count for _, count, _ in found.buckets) == found.rows


def test_nulls_that_come_are_counted(tmp_path: Path) -> None:
    found = compared(tmp_path, [1.0, 2.0], [None, 2.0])
    assert (found.changed, found.old_nulls, found.new_nulls) == (3, 0, 3)
    assert (found.examples[0].old, found.examples[0].new) == ("1", "null")


def test_no_more_keys_are_looked_at_than_asked(tmp_path: Path) -> None:
    engine = memory_engine(tmp_path, {"a": readings([1.0] * 50)})
    one = view("v", [feature("x")], source=source("a"))
    (found,) = SampledValues(engine, NOW, keys=7)(one, one, ["x"])
    assert found.rows == 3 * 7


def test_texts_are_compared_by_their_shares(tmp_path: Path) -> None:
    at = pa.array([hour(1)] * 4, pa.timestamp("us", tz="UTC"))
    tables = {
        name: pa.table({"id": [1, 2, 3, 4], "at": at, "x": list(texts)})
        for name, texts in (("a", "ppqq"), ("b", "pqqq"))
    }
    engine = memory_engine(tmp_path, tables)
    before, after = (view("v", [feature("x", "string")], source=source(n)) for n in "ab")
    (found,) = SampledValues(engine, NOW)(before, after, ["x"])
    assert found.shift == pytest.approx(0.25)
    assert found.buckets == (("q", 6, 9), ("p", 6, 3))


def test_a_histogram_is_one_line() -> None:
    assert bars((0, 1, 8, 4)) == " ▁█▄"
    assert bars(()) == ""


@pytest.mark.slow  # Great Expectations takes seconds to load
def test_expectations_that_a_sample_does_not_meet_are_told(tmp_path: Path) -> None:
    held = Expectation("expect_column_values_to_not_be_null", '{"column":"x"}')
    broken = Expectation(
        "expect_column_values_to_be_between", '{"column":"x","max_value":2,"min_value":0}'
    )
    elsewhere = Expectation("expect_column_values_to_not_be_null", '{"column":"at"}')
    engine = duckdb_engine(tmp_path, {"a": readings([1.0, 5.0])})
    made = view("v", [feature("x")], source=source("a"), expectations=(held, broken, elsewhere))
    (said,) = SampledExpectations(engine, NOW)(made)
    assert "expect_column_values_to_be_between" in said
