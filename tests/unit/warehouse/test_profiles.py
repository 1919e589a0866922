from datetime import UTC, datetime

import pyarrow as pa

from warehouse.profiles import MOST_VALUES, profile_column, profile_table


def column(values: list[object], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def test_numbers_are_counted_ranged_and_averaged() -> None:
    profile = profile_column(column([1, None, 3], pa.int64()))
    assert (profile.rows, profile.nulls, profile.minimum, profile.maximum) == (3, 1, 1, 3)
    assert profile.mean == 2


def test_what_is_not_finite_is_counted_apart() -> None:
    profile = profile_column(column([1.0, float("nan"), float("inf")], pa.float64()))
    assert (profile.not_finite, profile.mean, profile.maximum) == (2, 1, 1)


def test_texts_are_counted_by_value_while_they_are_few() -> None:
    few = profile_column(column(["a", "b", "a", None], pa.string()))
    assert few.values == (("a", 2), ("b", 1))
    many = profile_column(column([str(n) for n in range(MOST_VALUES + 1)], pa.string()))
    assert many.values is None


def test_times_are_ranged_in_utc() -> None:
    profile = profile_column(column([datetime(2013, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")))
    assert profile.minimum == "2013-01-01T00:00:00Z"


def test_times_out_of_all_calendars_and_halves_have_a_profile() -> None:
    late = pa.chunked_array([pa.array([2**62], pa.int64()).cast(pa.timestamp("us"))])
    assert profile_column(late).maximum is None
    assert profile_column(pa.chunked_array([pa.array([1.5, 0.5], pa.float16())])).maximum == 1.5


def test_a_column_in_pieces_has_the_profile_of_the_whole() -> None:
    whole = pa.table({"x": [1, 2, None, 4], "b": [True, None, False, True], "s": list("abca")})
    pieces = pa.concat_tables([whole.slice(n, 1) for n in range(4)])
    assert profile_table(pieces) == profile_table(whole)


def test_an_empty_column_has_a_profile() -> None:
    profile = profile_column(pa.chunked_array([], pa.float64()))
    assert (profile.rows, profile.null_rate, profile.quantile(0.5)) == (0, 0, None)
