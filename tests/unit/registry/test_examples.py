"""What a reviewer reads of two sketches: how much was compared, and a few pairs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from registry.core.similarity.examples import examples_of, stands_behind
from registry.core.similarity.likeness import Example
from registry.core.similarity.values import ValueSketch, compare
from registry.core.similarity.verdict import formula, judge_pair

START = datetime(2013, 1, 1, 12, tzinfo=UTC)
ANCHORS = tuple(START + timedelta(days=n) for n in range(30))
KEYS = tuple(range(10, 20))
EUROS = np.round(np.random.default_rng(3).uniform(10, 900, size=(30, 10)), 2)


def sketch(values: Any, **changes: Any) -> ValueSketch:
    labels = tuple(f"c{key}" for key in KEYS)
    held = {"kind": "number", "labels": labels, **changes}
    return ValueSketch("v:f@1", "id", KEYS, ANCHORS, values=values, **held)


def told(left: ValueSketch, right: ValueSketch) -> tuple[str, tuple[Example, ...]]:
    found = compare(left, right)
    assert found is not None
    return stands_behind(left, right, found), examples_of(left, right, found)


def test_how_much_was_compared_is_said_in_numbers() -> None:
    said, _ = told(sketch(EUROS), sketch(EUROS * 100))
    assert "300 (key, time) pairs, 10 keys at 30 times, 2013-01-01 to 2013-01-30" in said
    assert "As they stand 0% are equal" in said
    assert "both null or neither for 100%" in said


def test_examples_are_of_different_keys_with_both_values() -> None:
    _, examples = told(sketch(EUROS), sketch(EUROS * 100))
    assert [example.key for example in examples] == ["c10", "c11", "c12", "c13"]
    assert all(float(e.feature) == pytest.approx(100 * float(e.other)) for e in examples)
    assert all(example.agrees for example in examples)


def test_a_pair_that_does_not_fit_comes_first() -> None:
    odd = EUROS.copy()
    odd[7, 3] += 5
    _, examples = told(sketch(EUROS), sketch(odd))
    assert [(e.key, e.at, e.agrees) for e in examples[:2]] == [
        ("c13", ANCHORS[7], False),
        ("c10", ANCHORS[-1], True),
    ]


def test_a_rounded_copy_of_cents_is_called_rounded_and_fits() -> None:
    said = judge_pair(
        same_definition=False, same_shape=False,
        values=compare(sketch(EUROS * 40), sketch(np.round(EUROS * 40))), names=("new", "old"),
    )  # fmt: skip
    assert said.why.startswith("new and old are one number, rounded on one side")
    _, examples = told(sketch(EUROS * 40), sketch(np.round(EUROS * 40)))
    assert all(example.agrees for example in examples)


def test_categories_are_shown_by_their_texts_where_they_are_known() -> None:
    codes = np.floor(EUROS / 40)
    words = ((codes[-1, 0], "gold"),)
    one = sketch(codes, kind="category", words=words)
    _, examples = told(one, one)
    assert (examples[0].feature, examples[0].other) == ("gold", "gold")
    assert examples[1].feature.startswith("#")


def test_a_key_without_a_label_is_shown_by_its_hash() -> None:
    _, examples = told(sketch(EUROS), sketch(EUROS, labels=()))
    assert examples[0].key.startswith("#0000")


@pytest.mark.parametrize(
    ("slope", "intercept", "said"),
    [
        (100.0, 0.0, "new = 100 × old (hundredths for wholes)"),
        (1 / 60, 0.0, "new = old / 60 (hours for minutes, or minutes for seconds)"),
        (1.8, 32.0, "new = 1.8 × old + 32 (°F for °C)"),
        (1.0, -273.15, "new = old − 273.15"),
        (-2.5, 0.0, "new = -2.5 × old"),
    ],
)
def test_a_formula_names_the_units_that_its_factor_is_known_for(
    slope: float, intercept: float, said: str
) -> None:
    assert formula("new", "old", slope, intercept) == said
