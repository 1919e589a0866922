"""Admission: who is let in, who is told at once, and what a deadline is."""

import asyncio

import pytest

from featureserver.admission import Admission, ByWait, Overloaded
from registry.kernel.errors import Invalid
from serving.app import DEADLINE, deadline_of, request_id_of


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_no_more_than_so_many_are_under_way():
    admission = Admission(ByWait(most=2), Clock())
    admission.enter(100.0)
    admission.enter(100.0)
    with pytest.raises(Overloaded, match="2 requests are under way"):
        admission.enter(100.0)
    admission.leave()
    admission.enter(100.0)


def test_a_request_that_stood_in_line_too_long_is_told_so():
    clock = Clock()
    admission = Admission(ByWait(longest_wait_seconds=0.5), clock)

    async def turn():
        first = admission.arrive()
        clock.now += 0.6  # an earlier request of this turn took that long
        second = admission.arrive()
        await asyncio.sleep(0)
        return first, second, admission.arrive()

    first, second, next_turn = asyncio.run(turn())
    assert first == second == 100.0 and next_turn == pytest.approx(100.6)
    with pytest.raises(Overloaded, match="stood in line"):
        admission.enter(second)


@pytest.mark.parametrize(
    ("header", "timeout", "due"),
    [(None, None, None), ("250", None, 10.25), (None, 2.0, 12.0), ("250", 0.1, 10.1)],
)
def test_the_nearer_of_two_deadlines_counts_from_arrival(header, timeout, due):
    headers = {} if header is None else {DEADLINE: header}
    assert deadline_of(headers, timeout, 10.0) == pytest.approx(due)


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "nan", "inf", "1e12"])
def test_a_deadline_that_is_none_is_refused(text):
    with pytest.raises(Invalid, match="number of milliseconds"):
        deadline_of({DEADLINE: text}, None, 0.0)


@pytest.mark.parametrize("given", ["", "x" * 129, "a\tb", "é"])
def test_a_request_id_that_cannot_be_one_is_replaced(given):
    assert request_id_of({"x-request-id": given}) != given
    assert request_id_of({"x-request-id": "abc-1"}) == "abc-1"
