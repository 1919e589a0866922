import json
import subprocess
import sys

import pyarrow as pa
import pytest

from registry.core.definitions import Expectation
from registry.kernel.errors import Invalid
from warehouse.quality import QualityReport, check

TABLE = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"]})


def expect(kind: str, **arguments: object) -> Expectation:
    return Expectation(f"expect_{kind}", json.dumps(arguments, sort_keys=True))


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
    report = one(expect("column_values_to_not_be_null", column="b"), sample_rows=2)
    assert (report.rows, report.rows_checked, report.success) == (3, 2, True)


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
