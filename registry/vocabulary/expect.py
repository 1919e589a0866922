"""Expectations about a view's data, by typed helpers. Values only: nothing here reads data.

Any Great Expectations expectation can be named with `that`; the others are the common ones under
short names. `mostly` is the least share of rows, between 0 and 1, for which it must hold.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from registry.core.definitions import Expectation
from registry.kernel.canonical import canonical_json
from registry.kernel.errors import Invalid

Number = int | float


def that(kind: str, **arguments: Any) -> Expectation:
    """The expectation of that Great Expectations name, its arguments as that library spells them.

    Raises `Invalid` when the name does not start with `expect_` or an argument is not JSON-able.
    """
    if not kind.startswith("expect_"):
        raise Invalid(f"{kind!r} is not an expectation", hint="names start with expect_")
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return Expectation(kind, canonical_json(given))
    except (TypeError, ValueError) as error:
        raise Invalid(f"arguments of {kind} must be plain JSON values", str(error)) from error


def not_null(column: str, *, mostly: float = 1.0) -> Expectation:
    """No nulls in the column."""
    return that("expect_column_values_to_not_be_null", column=column, mostly=_share(mostly))


def unique(column: str) -> Expectation:
    """No value twice in the column."""
    return that("expect_column_values_to_be_unique", column=column)


def unique_together(columns: Sequence[str]) -> Expectation:
    """No combination of these columns twice."""
    return that("expect_compound_columns_to_be_unique", column_list=list(columns))


def between(
    column: str, minimum: Number | None = None, maximum: Number | None = None, mostly: float = 1.0
) -> Expectation:
    """Every value within the bounds, which are included; a None bound is open."""
    return that(
        "expect_column_values_to_be_between",
        column=column,
        mostly=_share(mostly),
        **_bounds(minimum, maximum),
    )


def in_set(column: str, values: Iterable[str | Number], *, mostly: float = 1.0) -> Expectation:
    """Every value is one of these; their order does not count."""
    ordered = sorted(set(values), key=lambda value: (type(value).__name__, value))
    return that(
        "expect_column_values_to_be_in_set",
        column=column,
        value_set=ordered,
        mostly=_share(mostly),
    )


def matches(column: str, pattern: str, *, mostly: float = 1.0) -> Expectation:
    """Every value matches the regular expression."""
    return that(
        "expect_column_values_to_match_regex", column=column, regex=pattern, mostly=_share(mostly)
    )


def mean(column: str, minimum: Number | None = None, maximum: Number | None = None) -> Expectation:
    """The column's mean is within the bounds."""
    return that("expect_column_mean_to_be_between", column=column, **_bounds(minimum, maximum))


def quantile(
    column: str, at: float, minimum: Number | None = None, maximum: Number | None = None
) -> Expectation:
    """The quantile `at` (between 0 and 1) of the column is within the bounds."""
    bounds = _bounds(minimum, maximum)
    ranges = [[bounds["min_value"], bounds["max_value"]]]
    return that(
        "expect_column_quantile_values_to_be_between",
        column=column,
        quantile_ranges={"quantiles": [_share(at)], "value_ranges": ranges},
    )


def row_count(minimum: int | None = None, maximum: int | None = None) -> Expectation:
    """The number of rows is within the bounds."""
    return that("expect_table_row_count_to_be_between", **_bounds(minimum, maximum))


def _bounds(minimum: Number | None, maximum: Number | None) -> dict[str, Number | None]:
    if minimum is None and maximum is None:
        raise Invalid("an expectation needs a bound", hint="give minimum, maximum or both")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise Invalid(f"no value lies between {minimum} and {maximum}")
    return {"min_value": minimum, "max_value": maximum}


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise Invalid(f"{value} is not a share", hint="write a number between 0 and 1")
    return float(value)
