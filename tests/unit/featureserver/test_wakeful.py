"""A loop stays awake for the next request, and rests from that where none comes."""

import asyncio
import os

import pytest

from featureserver.wakeful import Wakeful


@pytest.fixture
def looks(monkeypatch):
    """Grows by one whenever the loop looks instead of sleeping."""
    found = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "sched_yield", lambda: found.append(1))
    return found


def test_an_answer_keeps_the_loop_awake_until_the_next_request(looks):
    async def story():
        wakeful = Wakeful(60.0)
        wakeful.answered(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        seen = len(looks)
        wakeful.asked()
        await asyncio.sleep(0.01)
        assert seen > 3 and len(looks) == seen

    asyncio.run(story())


def test_it_rests_where_nobody_asked_in_time(looks):
    async def story():
        wakeful, loop = Wakeful(0.001), asyncio.get_running_loop()
        wakeful.answered(loop)
        while wakeful._looking:
            await asyncio.sleep(0)
        seen = len(looks)
        wakeful.answered(loop)
        await asyncio.sleep(0)
        assert len(looks) == seen

    asyncio.run(story())


@pytest.mark.parametrize(("seconds", "processors"), [(0.0, {0, 1}), (60.0, {0})])
def test_it_sleeps_where_it_is_told_to_and_where_it_would_be_in_the_way(
    looks, monkeypatch, seconds, processors
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: processors)

    async def story():
        Wakeful(seconds).answered(asyncio.get_running_loop())
        await asyncio.sleep(0.01)

    asyncio.run(story())
    assert not looks
