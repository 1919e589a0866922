import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Expectation
from registry.kernel.errors import Invalid
from registry.vocabulary import expect as helper
from warehouse.gx_page import gx_page
from warehouse.quality import check, check_file
from warehouse.quality_report import QualityReport, QualityResult

TABLE = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"]})


def expect(kind: str, **arguments: object) -> Expectation:
    return Expectation(f"expect_{kind}", json.dumps(arguments, sort_keys=True))


REGEX_OF_PYTHON = expect("column_values_to_match_regex", column="b", regex="^(?!q)")


def one(expectation: Expectation, **options: int) -> QualityReport:
    return check(TABLE, [expectation], **options)


def test_great_expectations_says_what_holds_and_what_fails() -> None:
    report = check(
        TABLE,
        [
            expect("column_values_to_not_be_null", column="a"),
            expect("column_values_to_be_in_set", column="b", value_set=["x", "y", "z"]),
        ],
    )
    assert [result.success for result in report.results] == [False, True]
    assert report.failures[0].unexpected == 1
    assert report.engine.startswith("great_expectations 1.")
    assert "fails, 1 values (33.33%)" in report.failures[0].sentence


def test_an_expectation_on_the_table_sees_all_rows_of_a_sampled_table() -> None:
    assert one(expect("table_row_count_to_equal", value=3), sample_rows=1).success
    assert one(expect("table_columns_to_match_set", column_set=["a", "b"])).success


def test_a_sample_is_told() -> None:
    report = one(expect("column_values_to_match_strftime_format", column="b", strftime_format="x"))
    assert (report.rows, report.rows_checked, report.failures[0].sampled) == (3, 3, False)
    fewer = check(TABLE, [REGEX_OF_PYTHON], sample_rows=2)
    assert (fewer.rows, fewer.rows_checked, fewer.success) == (3, 2, True)
    assert fewer.results[0].sampled


@pytest.mark.parametrize(
    ("kind", "arguments", "holds"),
    [
        ("column_values_to_be_between", {"column": "n", "min_value": 0, "max_value": 99}, True),
        ("column_values_to_be_between", {"column": "n", "max_value": 98}, False),
        ("column_values_to_be_between", {"column": "n", "max_value": 98, "mostly": 0.99}, True),
        ("column_values_to_not_be_null", {"column": "at"}, False),
        ("column_values_to_be_unique", {"column": "n"}, True),
        ("column_values_to_be_unique", {"column": "select"}, False),
        ("compound_columns_to_be_unique", {"column_list": ["n", "select"]}, True),
        ("column_values_to_be_in_set", {"column": "select", "value_set": ["k0", "k1"]}, True),
        ("column_values_to_match_regex", {"column": "select", "regex": "[01]$"}, True),
        ("column_values_to_match_regex", {"column": "select", "regex": "^[01]$"}, False),
        ("column_values_to_not_match_regex", {"column": "select", "regex": "z"}, True),
        ("column_values_to_match_regex", {"column": "select", "regex": "^(?!z)"}, True),
        ("column_mean_to_be_between", {"column": "n", "min_value": 49, "max_value": 50}, True),
        ("column_value_lengths_to_equal", {"column": "select", "value": 2}, True),
        ("column_values_to_be_increasing", {"column": "n"}, True),
        (
            "column_quantile_values_to_be_between",
            {
                "column": "n",
                "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[45, 55]]},
            },
            True,
        ),
        ("table_row_count_to_be_between", {"min_value": 100, "max_value": 100}, True),
    ],
)
def test_a_file_is_checked_without_loading_it(
    tmp_path: Path, kind: str, arguments: dict[str, object], holds: bool
) -> None:
    times = [None, *([datetime(2013, 1, 1, tzinfo=UTC)] * 99)]
    table = pa.table({"n": range(100), "select": [f"k{n % 2}" for n in range(100)], "at": times})
    pq.write_table(table, tmp_path / "t.parquet")
    report = check_file(tmp_path / "t.parquet", [expect(kind, **arguments)])
    assert report.results[0].success == holds, report.results[0].sentence
    assert not report.results[0].error


def test_columns_are_called_as_the_caller_calls_them() -> None:
    found = check(TABLE, [expect("column_values_to_be_unique", column="name")], names={"b": "name"})
    assert found.success


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert one(expect("column_to_exist", column="a")).success
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column_fails_with_its_reason() -> None:
    report = one(expect("column_values_to_not_be_null", column="gone"))
    assert not report.success
    assert '"gone"' in report.failures[0].sentence


def test_an_unknown_expectation_is_answered_with_the_nearest() -> None:
    with pytest.raises(Invalid, match="expect_column_values_to_not_be_null"):
        one(expect("column_values_to_not_be_nul", column="a"))


def test_arguments_it_does_not_take_are_refused() -> None:
    with pytest.raises(Invalid, match="does not take"):
        one(expect("column_values_to_not_be_null", column="a", colour="red"))


def test_a_program_without_a_file_is_not_ended() -> None:
    """Spark Connect, which Great Expectations looks for, would end it; see the code."""
    program = (
        "import sys, pyarrow as pa\n"
        "from registry.core.definitions import Expectation\n"
        "from warehouse.quality import check\n"
        "report = check(pa.table({'a': [1]}), [Expectation('expect_column_to_exist',"
        ' \'{"column":"a"}\')])\n'
        "print(report.success, 'pyspark' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "True False\n"


def test_no_expectations_are_no_work() -> None:
    assert check(TABLE, []) == QualityReport(3, 0, "none")


def test_what_the_typed_helpers_say_needs_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a frame was made")

    monkeypatch.setattr("warehouse.quality.on_frame", never)
    pq.write_table(pa.table({"n": range(100), "s": ["k"] * 100}), tmp_path / "t.parquet")
    helpers = [
        helper.not_null("n"),
        helper.unique("n"),
        helper.unique_together(["n", "s"]),
        helper.between("n", 0, 99),
        helper.in_set("s", ["k"]),
        helper.matches("s", "^k$"),
        helper.mean("n", 49, 50),
        helper.quantile("n", 0.5, 45, 55),
        helper.row_count(100, 100),
    ]
    assert check_file(tmp_path / "t.parquet", helpers).success


def test_a_report_is_a_page_of_great_expectations() -> None:
    results = (
        QualityResult(
            "expect_column_values_to_not_be_null", '{"column": "value"}', False, "", 3, 0.03
        ),
        QualityResult(
            "expect_table_row_count_to_be_between", '{"min_value": 9}', True, observed="100"
        ),
        QualityResult("expect_column_to_exist", '{"column": "gone"}', False, error="it broke"),
    )
    page = gx_page(
        "readings",
        "set one",
        QualityReport(100, 100, "gx", results),
        datetime(2013, 1, 1, tzinfo=UTC),
    )
    assert "values must never be null" in page
    assert "3 unexpected values found" in page
    assert "greater than or equal to" in page
    assert "it broke" in page
    assert "2013-01-01" in page
