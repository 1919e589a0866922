from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from registry.core.similarity.encoding import encode
from registry.core.similarity.values import ValueSketch, compare
from registry.core.similarity.verdict import judge_pair
from registry.testing import NOON

ANCHORS = tuple(NOON + timedelta(days=n) for n in range(3))
KEYS = tuple(range(1, 101))
RANDOM = np.random.default_rng(7)
NUMBERS = RANDOM.normal(50, 20, size=(3, 100))


def sketch(values: Any, **changes: Any) -> ValueSketch:
    made = ValueSketch("v:f", "id int64", KEYS, ANCHORS, "number", np.asarray(values, np.float64))
    return replace(made, **changes)


def relation(left: Any, right: Any) -> str:
    found = compare(sketch(left), sketch(right))
    assert found is not None
    return found.relation


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (NUMBERS.copy(), "equal"),
        (NUMBERS * 100, "affine"),
        (NUMBERS * 9 / 5 + 32, "affine"),
        (np.round(NUMBERS, 1), "rounded"),
        (np.trunc(NUMBERS), "rounded"),
        (np.exp(NUMBERS / 50), "monotone"),
        (-(NUMBERS**3), "monotone"),
        (np.vstack([RANDOM.normal(size=(1, 100)), NUMBERS[:2]]), "shifted"),
        (RANDOM.normal(50, 20, size=(3, 100)), "none"),
        (NUMBERS + RANDOM.normal(0, 5, size=(3, 100)), "none"),
    ],
    ids=["copy", "cents", "fahrenheit", "rounded", "cut", "exp", "cube", "later", "other", "noisy"],
)
def test_the_relation_of_two_features_is_seen(other: Any, expected: str) -> None:
    assert relation(NUMBERS, other) == expected


def test_features_of_other_entities_are_not_compared() -> None:
    assert compare(sketch(NUMBERS), sketch(NUMBERS, entity="plane string")) is None


def test_only_the_keys_that_both_sketches_cover_count() -> None:
    wide = sketch(NUMBERS)
    narrow = ValueSketch("v:g", "id int64", KEYS[:80], ANCHORS, "number", NUMBERS[:, :80])
    found = compare(wide, narrow)
    assert found is not None
    assert (found.relation, found.pairs) == ("equal", 240)


def test_categories_that_go_one_to_one_are_seen() -> None:
    codes = RANDOM.integers(0, 20, size=300)
    left = encode([f"code {c}" for c in codes])
    right = encode([f"name {c * 7}" for c in codes])
    found = compare(*(sketch(values.reshape(3, 100), kind=kind) for kind, values in (left, right)))
    assert found is not None
    assert (found.relation, found.agreeing) == ("bijection", 300)


@pytest.mark.parametrize("spelled", [[1, 0], [1.0, 0.0], ["1", "0"], [True, False], ["1.0", " 0 "]])
def test_one_value_in_another_type_is_the_same_number(spelled: Sequence[Any]) -> None:
    kind, values = encode(spelled)
    assert (kind, values.tolist()) == ("number", [1.0, 0.0])


@pytest.mark.parametrize(
    "poor",
    [np.ones((3, 100)), RANDOM.integers(0, 2, (3, 100)), np.where(NUMBERS > 90, NUMBERS, 0.0)],
    ids=["constant", "boolean", "mostly default"],
)
def test_features_that_tell_little_are_never_called_duplicates(poor: Any) -> None:
    found = compare(sketch(poor), sketch(poor.copy()))
    assert found is not None
    assert not found.telling
    assert judge_pair(same_definition=False, same_shape=False, values=found).verdict == "distinct"


def test_equal_values_with_other_nulls_are_a_question_and_no_block() -> None:
    holes = np.where(RANDOM.random((3, 100)) < 0.3, np.nan, NUMBERS)
    found = compare(sketch(NUMBERS), sketch(holes))
    judged = judge_pair(same_definition=False, same_shape=False, values=found)
    assert judged.verdict == "near-duplicate"
    assert "one is null where the other is not" in judged.why


def test_a_copy_blocks_and_another_unit_asks() -> None:
    def verdict(other: Any) -> str:
        found = compare(sketch(NUMBERS), sketch(other))
        return judge_pair(same_definition=False, same_shape=False, values=found).verdict

    assert verdict(NUMBERS) == "duplicate"
    assert verdict(NUMBERS / 60) == "near-duplicate"


def test_a_variant_is_never_called_a_duplicate() -> None:
    judged = judge_pair(same_definition=False, same_shape=True, facets="window 7 days for 30")
    assert judged.verdict == "variant"
