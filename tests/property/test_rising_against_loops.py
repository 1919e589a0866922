"""Matching history that comes in order of time, against plain loops over it."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.engines.counting_sort import sort_by_code, sort_by_time
from warehouse.engines.newest import NewestRows, newer_of, winners_of
from warehouse.engines.parts import Asked, Found, Int64s, Part
from warehouse.engines.rising import RisingRows, by_time, match_within
from warehouse.engines.slots import order_spine
from warehouse.engines.stretches import Late, NotRising, in_order, stretches
from warehouse.engines.time_order import TimeOrder

KEYS, TIMES = 3, 5
rows = st.tuples(st.integers(0, TIMES), st.integers(0, KEYS - 1))
quick = settings(max_examples=200, deadline=None)


def ints(values: Any) -> Int64s:
    return np.array(list(values), dtype=np.int64)


def parts_of(history: list[tuple[int, int]], cuts: list[int]) -> list[Part]:
    """The history cut into parts; positions count its rows."""
    edges = [0, *sorted(min(cut, len(history)) for cut in cuts), len(history)]
    return [
        Part(ints(c for _, c in history[a:b]), ints(t for t, _ in history[a:b]), np.arange(a, b))
        for a, b in itertools.pairwise(edges)
        if a < b
    ]


def matched(parts: list[Part], spine: list[tuple[int, int]]) -> list[tuple[int, bool]]:
    """The position found for each spine row, and whether it was said to be tied."""
    ordered = by_time(asked_by(spine), TimeOrder())
    rising = RisingRows(ordered)
    for stretch in stretches(map(in_order, parts), Late(0)):
        rising.offer(match_within(ordered, stretch))
    return in_spine_order(rising.found())


def asked_by(spine: list[tuple[int, int]]) -> Asked:
    rows = len(spine)
    codes, times = ints(code for _, code in spine), ints(time for time, _ in spine)
    return Asked(rows, np.arange(rows), codes, times, KEYS)


def in_spine_order(found: Found) -> list[tuple[int, bool]]:
    answers = zip(found.asked.at, found.position.tolist(), found.tied.tolist(), strict=True)
    return [(position, tied) for _, position, tied in sorted(answers, key=lambda one: one[0])]


@quick
@given(
    history=st.lists(rows, max_size=20).map(lambda found: sorted(found, key=lambda row: row[0])),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    spine=st.lists(rows, min_size=1, max_size=12),
)
def test_each_row_takes_the_newest_of_its_key_and_knows_of_ties(
    history: list[tuple[int, int]], cuts: list[int], spine: list[tuple[int, int]]
) -> None:
    for (time, code), (position, tied) in zip(
        spine, matched(parts_of(history, cuts), spine), strict=True
    ):
        seen = [event for event, key in history if key == code and event <= time]
        if not seen:
            assert (position, tied) == (-1, False)
            continue
        assert history[position] == (max(seen), code)
        assert tied == (seen.count(max(seen)) > 1)


@quick
@given(history=st.lists(rows, max_size=12), spine=st.lists(rows, min_size=1, max_size=6))
def test_rows_of_one_part_come_in_any_order(
    history: list[tuple[int, int]], spine: list[tuple[int, int]]
) -> None:
    ordered = sorted(history, key=lambda row: row[0])
    found = matched(parts_of(history, []), spine)
    right = matched(parts_of(ordered, []), spine)
    assert [history[p] if p >= 0 else None for p, _ in found] == [
        ordered[p] if p >= 0 else None for p, _ in right
    ]


@quick
@given(
    history=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 6)), max_size=16
    ),
    cuts=st.lists(st.integers(0, 16), max_size=4),
    spine=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=8),
    ordered=st.booleans(),
)
def test_rows_known_late_are_taken_from_when_they_are_known(
    history: list[tuple[int, int, int]],
    cuts: list[int],
    spine: list[tuple[int, int]],
    ordered: bool,
) -> None:
    rows = [(event, code, event + delay) for event, code, delay in history]
    if ordered:
        rows.sort()
    found = known_late(rows, cuts, spine)
    for (time, code), (position, tied) in zip(spine, found, strict=True):
        seen = [(event, created) for event, key, created in rows if key == code and created <= time]
        newest = max(seen, default=None)
        taken = (rows[position][0], rows[position][2]) if position >= 0 else None
        assert (taken, tied) == (newest, seen.count(newest) > 1 if newest else False)


def known_late(
    rows: list[tuple[int, int, int]], cuts: list[int], spine: list[tuple[int, int]]
) -> list[tuple[int, bool]]:
    """What is found in rows of (event, code, created), with what is set aside slotted in."""
    edges = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    parts = []
    for low, high in itertools.pairwise(edges):
        events, codes, created = (ints(row[n] for row in rows[low:high]) for n in range(3))
        parts.append(Part(codes, events, np.arange(low, high), created, created))
    asked = asked_by(spine)
    ordered, late = by_time(asked, TimeOrder()), Late(99)
    rising = RisingRows(ordered, with_created=True)
    try:
        for stretch in stretches(map(in_order, parts), late):
            rising.offer(match_within(ordered, stretch))
        answer, rest = rising.found(), late.parts
    except NotRising:
        answer, rest = RisingRows(ordered, with_created=True).found(), parts
    slots = NewestRows(order_spine(asked, 0), with_created=True)
    for part in rest:
        slots.offer(winners_of(slots.order, part))
    return in_spine_order(newer_of(answer, slots.found()))


def test_a_part_before_an_earlier_one_is_refused() -> None:
    with pytest.raises(NotRising):
        matched(parts_of([(2, 0), (1, 0)], [1]), [(3, 0)])


@quick
@given(values=st.lists(st.integers(0, 1 << 40) | st.integers(0, 3), max_size=30))
def test_counting_orders_as_sorting_does(values: list[int]) -> None:
    right = np.argsort(ints(values), kind="stable").tolist()
    assert sort_by_code(ints(values)).tolist() == right
    assert sort_by_time(ints(values) - (1 << 39)).tolist() == right


@quick
@given(several=st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=4))
def test_a_kept_order_serves_only_times_that_it_sorts(several: list[list[int]]) -> None:
    known = TimeOrder()
    for times in several:
        order, ordered = known.sort(ints(times))
        assert ordered.tolist() == sorted(times)
        assert sorted(order.tolist()) == list(range(len(times)))
        assert ints(times)[order].tolist() == ordered.tolist()
