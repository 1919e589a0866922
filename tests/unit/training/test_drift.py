import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.drift import check_drift, stability_index
from warehouse.profiles import profile_column, profile_table

numbers = st.lists(st.none() | st.integers(-9, 9).map(float), min_size=50, max_size=80)
texts = st.lists(st.none() | st.sampled_from("abc"), min_size=50, max_size=80)


def index(first: list[object], last: list[object]) -> float | None:
    text = any(isinstance(value, str) for value in (*first, *last))
    arrays = (pa.array(side, pa.string() if text else pa.float64()) for side in (first, last))
    return stability_index(*(profile_column(pa.chunked_array([side])) for side in arrays))


def slow(first: list[object], last: list[object]) -> float:
    """By value, with half a row where a part has none."""
    p, q = ({v: side.count(v) or 0.5 for v in {*first, *last}} for side in (first, last))
    p_all, q_all = sum(p.values()), sum(q.values())
    return sum((q[v] / q_all - p[v] / p_all) * math.log(q[v] / q_all / (p[v] / p_all)) for v in p)


@settings(deadline=None, max_examples=25)
@given(texts, texts)
def test_texts_are_counted_by_value(first: list[object], last: list[object]) -> None:
    if {*first, *last} != {None}:
        assert index(first, last) == pytest.approx(slow(first, last), abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(numbers, numbers)
def test_the_index_is_never_negative_and_none_between_equals(
    first: list[object], last: list[object]
) -> None:
    if not {*first, *last} - {None}:
        return
    assert index(first, first) in (0.0, None)
    assert (index(first, last) or 0.0) >= 0.0


def test_few_numbers_are_counted_as_texts_would_be() -> None:
    first, last = [0.0, 1.0] * 50, [0.0] * 80 + [1.0] * 20
    assert index(first, last) == pytest.approx(slow(first, last))


def test_the_same_distribution_is_near_nothing_and_a_shift_is_much() -> None:
    draws = np.random.default_rng(1)
    first, second, moved = (
        draws.normal(0, 1, 5000),
        draws.normal(0, 1, 5000),
        draws.normal(1, 1, 5000),
    )
    assert (index(list(first), list(second)) or 1) < 0.02
    assert (index(list(first), list(moved)) or 0) > 0.25


def test_nulls_that_appear_are_drift() -> None:
    assert (index([1.0] * 100, [1.0] * 50 + [None] * 50) or 0) > 0.25


def test_parts_that_differ_are_said_and_small_ones_are_not() -> None:
    first, last = (profile_table(pa.table({"x": np.arange(a, a + 50.0)})) for a in (0, 40))
    (finding,) = check_drift(first, last, ("train", "test"))
    assert (finding.rule, finding.subject) == ("drift", "x")
    assert "population stability index" in finding.message
    assert list(check_drift(first, first, ("train", "test"))) == []
    few = profile_table(pa.table({"x": [1.0]}))
    assert list(check_drift(few, last, ("train", "test"))) == []
