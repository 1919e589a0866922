"""Expectations are values under Great Expectations' names."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from registry.kernel.errors import Invalid
from registry.vocabulary import expect


def test_helpers_give_the_names_of_great_expectations() -> None:
    made = [
        expect.not_null("a"),
        expect.unique("a"),
        expect.unique_together(["a", "b"]),
        expect.between("a", 0, 1),
        expect.in_set("a", ["x", "y"]),
        expect.matches("a", "^x"),
        expect.mean("a", 0),
        expect.quantile("a", 0.99, maximum=5),
        expect.row_count(1),
    ]
    spec = find_spec("great_expectations")
    assert spec is not None and spec.origin is not None
    core = Path(spec.origin).parent / "expectations" / "core"
    known = {file.stem for file in core.glob("expect_*.py")}
    assert {one.kind for one in made} <= known


def test_any_expectation_can_be_named() -> None:
    made = expect.that("expect_column_max_to_be_between", column="a", max_value=3, min_value=None)
    assert json.loads(made.arguments) == {"column": "a", "max_value": 3}


def test_the_order_of_a_set_and_of_arguments_does_not_count() -> None:
    assert expect.in_set("a", [2, 1, "x"]) == expect.in_set("a", ["x", 1, 2])
    assert expect.that("expect_x", a=1, b=2) == expect.that("expect_x", b=2, a=1)


def test_a_share_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(Invalid, match="share"):
        expect.not_null("a", mostly=95)


@pytest.mark.parametrize("bounds", [(None, None), (2, 1)])
def test_bounds_that_bound_nothing_are_refused(bounds: tuple[int | None, int | None]) -> None:
    with pytest.raises(Invalid):
        expect.between("a", *bounds)


def test_a_name_that_is_no_expectation_is_refused() -> None:
    with pytest.raises(Invalid, match="expect_"):
        expect.that("check_it")


def test_arguments_must_be_plain_values() -> None:
    with pytest.raises(Invalid, match="JSON"):
        expect.that("expect_x", column=object())
