"""Relations of values, the guards against false alarms, and finding candidates by fingerprints."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.similarity.fingerprints import (
    asked_fingerprints,
    course_fingerprints,
    stored_fingerprints,
)
from registry.core.similarity.merging import merged
from registry.core.similarity.values import ValueSketch, compare
from registry.core.similarity.verdict import judge_pair
from registry.kernel.errors import Invalid
from registry.testing import NOON
from warehouse.anchors import anchors_before

KEYS = tuple(range(3, 643, 10))
DAYS = tuple(NOON + timedelta(days=n) for n in (*range(10), 31, 38, 62))
CHANCE = np.random.default_rng(11)
SHAPE = (len(DAYS), len(KEYS))
NUMBERS = CHANCE.normal(50, 20, SHAPE)


def sketch(values: Any, **changes: Any) -> ValueSketch:
    shown = np.array(values, np.float64)
    made = ValueSketch("v:f", "id", KEYS[: shown.shape[1]], DAYS, "number", shown)
    return replace(made, **changes)


def verdict(left: Any, right: Any) -> str:
    found = compare(sketch(left), sketch(right))
    return judge_pair(same_definition=False, same_shape=False, values=found).verdict


def relation(left: Any, right: Any) -> str:
    found = compare(sketch(left), sketch(right))
    assert found is not None
    return found.relation if found.telling else "tells too little"


def spoiled(values: Any, share: float) -> Any:
    """A copy with a few cells that are something else."""
    odd = CHANCE.random(SHAPE) < share
    return np.where(odd, CHANCE.normal(1e6, 10, SHAPE), values)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (np.round(NUMBERS * 9 / 5 + 32, 1), "affine"),
        (np.round(NUMBERS / 60, 2), "affine"),
        (spoiled(NUMBERS, 0.002), "equal"),
        (spoiled(NUMBERS * 3 + 1, 0.002), "affine"),
        (np.floor(NUMBERS), "rounded"),
        (np.ceil(NUMBERS), "rounded"),
        (NUMBERS * (1 + 1e-15), "equal"),
        (NUMBERS + CHANCE.normal(0, 0.5, SHAPE), "none"),
        (np.where(CHANCE.random(SHAPE) < 0.05, 0, NUMBERS), "none"),
    ],
    ids=[
        "°F-rounded",
        "hours",
        "spoiled",
        "spoiled-unit",
        "floor",
        "ceiling",
        "last-bits",
        "noise",
        "zeros",
    ],
)
def test_the_relation_of_two_numbers_is_seen(other: Any, expected: str) -> None:
    assert relation(NUMBERS, other) == expected


@pytest.mark.parametrize("days", [1, 2, 7, 30])
def test_a_copy_some_days_later_is_seen_at_uneven_anchors(days: int) -> None:
    history = {day: CHANCE.normal(size=len(KEYS)) for day in range(-40, 70)}
    offsets = [round((day - NOON) / timedelta(days=1)) for day in DAYS]
    now = [history[n] for n in offsets]
    found = compare(sketch(now), sketch([history[n - days] for n in offsets]))
    assert found is not None
    assert (found.relation, found.shift_seconds) == ("shifted", days * 86400)


COUNTS = np.cumsum(CHANCE.integers(1, 9, SHAPE), axis=0).astype(float)
CALENDAR = np.array([[day.timetuple().tm_yday] for day in DAYS]) + np.zeros(SHAPE)
ZEROS = np.where(CHANCE.random(SHAPE) < 0.25, np.floor(NUMBERS), 0.0)


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (COUNTS, COUNTS**2 + 1, "none"),
        (CALENDAR, CALENDAR * 24.0, "tells too little"),
        (CALENDAR + np.arange(len(KEYS)) % 2, CALENDAR - 7, "tells too little"),
        (np.tile(np.arange(20.0), (len(DAYS), 4))[:, : len(KEYS)], NUMBERS, "none"),
        (ZEROS, np.where(CHANCE.random(SHAPE) < 0.04, ZEROS + 1, ZEROS), "none"),
        (np.where(CHANCE.random(SHAPE) < 0.05, NUMBERS, np.nan),) * 2 + ("tells too little",),
        (np.full(SHAPE, np.inf), np.full(SHAPE, np.inf), "tells too little"),
        (np.full(SHAPE, np.nan), NUMBERS, "tells too little"),
    ],
    ids=[
        "counters",
        "calendar",
        "shifted-calendar",
        "attribute",
        "zeros",
        "mostly-null",
        "infinite",
        "all-null",
    ],
)
def test_what_looks_alike_for_other_reasons_is_not_called_so(
    left: Any, right: Any, said: str
) -> None:
    assert relation(left, right) == said
    assert verdict(left, right) == "distinct"


def test_infinities_and_huge_values_do_not_make_all_things_fit() -> None:
    wild = NUMBERS.copy()
    wild[0, :3] = [np.inf, -np.inf, 1e300]
    assert relation(wild, wild.copy()) == "equal"
    assert relation(wild, CHANCE.normal(size=SHAPE)) == "none"


def test_attributes_of_few_keys_are_too_few_to_tell() -> None:
    still = np.tile(CHANCE.normal(size=20), (len(DAYS), 1))
    left = sketch(still)
    found = compare(left, replace(left, values=still.copy()))
    assert found is not None
    assert (found.pairs, found.independent, found.telling) == (260, 20, False)


COPIES: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "equal": lambda v, c: v.copy(),
    "unit": lambda v, c: v * c.choice([100, 1 / 60, -1, 1.8]) + c.choice([0, 32]),
    "rounded": lambda v, c: np.round(v, 1),
    "null elsewhere": lambda v, c: np.where(c.random(SHAPE) < 0.3, np.nan, v),
    "nulls filled": lambda v, c: np.where(np.isnan(v), 0, v),
    "spoiled": lambda v, c: np.where(c.random(SHAPE) < 0.003, 0, v),
    "falling": lambda v, c: -np.exp(v / 50),
    "another": lambda v, c: c.normal(50, 20, SHAPE),
}


def one_in(chance: np.random.Generator) -> Any:
    made = [
        chance.normal(50, 20, SHAPE),
        chance.poisson(12, SHAPE) + np.arange(len(KEYS)) % 9,
        np.round(chance.exponential(300, SHAPE), 2),
        chance.integers(0, 40, SHAPE),
    ][chance.integers(4)].astype(float)
    return np.where(chance.random(SHAPE) < 0.1, np.nan, made) if chance.random() < 0.5 else made


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(sorted(COPIES)))
def test_whatever_would_be_said_of_all_pairs_is_found_by_the_index(seed: int, kind: str) -> None:
    chance = np.random.default_rng(seed)
    values = one_in(chance)
    left, right = sketch(values), sketch(COPIES[kind](values, chance))
    if verdict(left.values, right.values) in ("duplicate", "near-duplicate"):
        assert set(asked_fingerprints(right)) & set(stored_fingerprints(left))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_unlike_features_seldom_share_more_than_one_fingerprint(seed: int) -> None:
    chance = np.random.default_rng(seed)
    left, right = sketch(one_in(chance)), sketch(one_in(chance))
    assert len(set(asked_fingerprints(right)) & set(stored_fingerprints(left))) <= 4


def test_copies_over_other_keys_or_later_are_found_and_categories_by_pattern() -> None:
    stored = set(stored_fingerprints(sketch(NUMBERS)))
    half = sketch(NUMBERS[:, ::2], keys=KEYS[::2])
    later = sketch(np.vstack([CHANCE.normal(size=(1, len(KEYS))), NUMBERS[:-1]]))
    assert len(stored & set(asked_fingerprints(half))) >= 5
    assert len(stored & set(asked_fingerprints(later))) >= 5
    codes = CHANCE.integers(0, 20, SHAPE).astype(float)
    names = sketch(codes * 7919 % 1009, kind="category")
    assert set(stored_fingerprints(names)) & set(asked_fingerprints(sketch(codes)))


def test_what_tells_too_little_is_in_no_index() -> None:
    assert stored_fingerprints(sketch(np.ones(SHAPE))) == ()
    assert stored_fingerprints(sketch(CHANCE.integers(0, 3, SHAPE))) == ()
    assert stored_fingerprints(sketch(np.full(SHAPE, np.nan))) == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 40))
def test_sketches_of_parts_merge_to_the_sketch_of_the_whole(seed: int, most: int) -> None:
    chance = np.random.default_rng(seed)
    values = one_in(chance)
    side = chance.random(len(KEYS)) < 0.5
    side[:2] = [True, False]
    parts = [
        sketch(values[:, part][:, :most], keys=tuple(np.array(KEYS)[part][:most]))
        for part in (side, ~side)
    ]
    made = merged(parts[0], parts[1], most)
    assert made.keys == KEYS[:most]
    np.testing.assert_array_equal(made.values, values[:, :most])
    assert merged(parts[1], parts[0], most).keys == made.keys


def test_sketches_of_two_features_do_not_merge() -> None:
    with pytest.raises(Invalid, match="one feature"):
        merged(sketch(NUMBERS), sketch(NUMBERS, ref="v:g"), 64)


def test_equal_where_both_have_rows_blocks_nothing_when_one_has_other_keys() -> None:
    part = NUMBERS[:, : len(KEYS) // 4]
    some = ValueSketch("v:g", "id", KEYS[: part.shape[1]], DAYS, "number", part)
    found = compare(sketch(NUMBERS), some)
    assert found is not None
    assert (found.relation, found.overlap, found.telling) == ("equal", 0.25, False)
    most = ValueSketch("v:g", "id", KEYS[:-5], DAYS, "number", NUMBERS[:, :-5])
    judged = judge_pair(
        same_definition=False, same_shape=False, values=compare(sketch(NUMBERS), most)
    )
    assert judged.verdict == "near-duplicate"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (np.round((NUMBERS + 15) / 60, 2), "affine"),
        (np.trunc((NUMBERS + 15) / 60 * 100) / 100, "affine"),
        (np.round(NUMBERS / 5) * 5, "rounded"),
        (NUMBERS.astype(np.float32).astype(float), "rounded"),
        (np.round(NUMBERS * 1.8 + 32, 1), "affine"),
    ],
    ids=["offset-scale-rounded", "offset-scale-cut", "to-fives", "single", "°F-tenths"],
)
def test_roundings_of_another_unit_are_seen_from_both_sides(other: Any, expected: str) -> None:
    assert relation(NUMBERS, other) == expected
    assert relation(other, NUMBERS) == expected
    assert verdict(NUMBERS, other) == verdict(other, NUMBERS) == "near-duplicate"


def test_nulls_that_were_filled_with_one_value_are_told_and_other_keys_are_not() -> None:
    gaps = np.where(CHANCE.random(SHAPE) < 0.7, np.nan, NUMBERS)
    found = compare(sketch(gaps), sketch(np.where(np.isnan(gaps), 0, gaps) * 60))
    assert found is not None
    assert (found.relation, found.filled) == ("affine", ("right", 0.0))
    assert found.telling
    judged = judge_pair(same_definition=False, same_shape=False, values=found, names=("new", "old"))
    assert "new is 0 where old is null" in judged.why
    assert relation(gaps, NUMBERS) == "tells too little"


def test_a_number_as_text_is_a_question_and_no_block() -> None:
    judged = judge_pair(
        same_definition=False,
        same_shape=False,
        values=compare(sketch(NUMBERS), sketch(NUMBERS, form="text")),
    )
    assert judged.verdict == "near-duplicate"
    assert "as a value of another type" in judged.why


@pytest.mark.parametrize("hours", [1, 3, 6, 12, 24, 72, 336, 720, -48])
def test_a_copy_later_by_hours_days_or_weeks_is_seen_at_the_real_anchors(hours: int) -> None:
    anchors = anchors_before(datetime(2013, 3, 20, 15, tzinfo=UTC), 1)
    keys = tuple(range(1, 129))
    at = [round((anchor - anchors[0]) / timedelta(hours=1)) for anchor in anchors]
    course = np.cumsum(CHANCE.normal(size=(at[-1] + 2000, len(keys))), axis=0)
    now, then = course[[1000 + n for n in at]], course[[1000 + n - hours for n in at]]
    left, right = (ValueSketch("v:f", "id", keys, anchors, "number", v) for v in (now, then))
    found = compare(left, right)
    assert found is not None
    assert (found.relation, found.shift_seconds) == ("shifted", hours * 3600)
    assert set(course_fingerprints(left)) & set(course_fingerprints(right))
