import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.sketches import ACCURACY, Sketch, distance, sketch_values

numbers = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


@settings(deadline=None)  # a busy machine is no failure
@given(numbers, st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]))
def test_a_quantile_is_within_its_accuracy(values: list[float], share: float) -> None:
    array = np.array(values)
    exact = float(np.quantile(array, share, method="lower"))
    if abs(exact) < 1e-300:
        exact = 0.0
    found = sketch_values(array).quantile(share)
    assert found == pytest.approx(exact, rel=ACCURACY * 1.01)


@settings(deadline=None)  # a busy machine is no failure
@given(numbers, numbers)
def test_merging_is_sketching_the_whole(left: list[float], right: list[float]) -> None:
    whole = sketch_values(np.array(left + right))
    assert sketch_values(np.array(left)).merge(sketch_values(np.array(right))) == whole


@settings(deadline=None)  # a busy machine is no failure
@given(numbers)
def test_nothing_is_lost(values: list[float]) -> None:
    assert sketch_values(np.array(values)).count == len(values)


def test_distance_is_nought_for_the_same_and_one_for_strangers() -> None:
    low, high = (sketch_values(np.arange(a, a + 10.0)) for a in (1, 100))
    assert distance(low, low) == 0
    assert distance(low, high) == 1
    assert distance(low, Sketch()) == 1


def test_distance_is_the_widest_gap_of_shares() -> None:
    left, right = sketch_values(np.array([1.0, 2, 3, 4])), sketch_values(np.array([3.0, 4, 5, 6]))
    assert distance(left, right) == 0.5
