"""Retrained versions pass by a declared policy, and by nothing less than all of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from registry.kernel.clock import FixedClock
from registry.kernel.errors import Corrupt, Forbidden, Refused
from registry.ports import Principal
from registry.testing import NOON
from serving.gate.policy import GatePolicy
from serving.gate.report import Check
from serving.retraining import Rails
from tests.model_room import (
    AUTHOR,
    OPERATOR,
    OWNER,
    RELIABILITY,
    open_room,
    parts,
    passing_report,
    profile,
    released,
    xgboost_model,
)

BOT = Principal("trainer", frozenset({"author"}), bot=True)


def piped(tmp_path, rounds, text="train()", **changes):
    code = tmp_path / "train.py"
    code.write_text(text)
    return parts(tmp_path, xgboost_model(rounds), code=[code], **changes)


@pytest.fixture
def room(tmp_path):
    made = open_room(tmp_path)
    released(made, piped(tmp_path, 8))
    return made


def allow(room, rails=None, people=(OWNER, RELIABILITY)):
    for person in people:
        room.allow_retraining("delay", rails or Rails(), person, "weekly")


def retrained(room, tmp_path, rounds=9, difference=0.001, made=None, **report):
    record = room.package(made or piped(tmp_path, rounds), actor=BOT.subject)
    champion = room.registry.models.champion("delay")
    numbers = {"difference": difference, "incumbent": 0.7}
    check = Check("better.auc", "better?", True, "better", numbers)
    facts = {"checks": (check,), "data": {"incumbent": champion.bundle_digest}, **report}
    return room.keep_report(record, passing_report(record, **facts), BOT.subject)


def test_a_retrained_version_passes_asked_for_by_a_bot_and_is_promoted(room, tmp_path):
    allow(room)
    record = retrained(room, tmp_path)
    approved = room.approve_retrained("delay", record.version, BOT)
    assert approved.state == "approved"
    assert room.promote("delay", record.version, OPERATOR).state == "champion"
    words = room.live("delay").approved_by
    assert [word["approved_by"] for word in words] == [OWNER.subject, RELIABILITY.subject]
    assert all(word["policy"].startswith("sha256:") for word in words)


def test_the_version_after_it_passes_by_the_same_policy_until_a_person_looks_again(room, tmp_path):
    allow(room, Rails(max_versions=2))
    for rounds in (9, 10):
        record = retrained(room, tmp_path, rounds)
        room.approve_retrained("delay", record.version, BOT)
        room.promote("delay", record.version, OPERATOR)
    third = retrained(room, tmp_path, 11)
    with pytest.raises(Refused, match="2 versions passed already"):
        room.approve_retrained("delay", third.version, BOT)


def broken(room, record):
    with pytest.raises(Refused) as caught:
        room.approve_retrained("delay", record.version, BOT)
    assert room.registry.models.get("delay", record.version).state == "gated"
    return caught.value.found


def test_nothing_passes_without_a_policy_or_with_half_of_one(room, tmp_path):
    record = retrained(room, tmp_path)
    assert "no policy of owner" in broken(room, record)
    allow(room, people=(OWNER,))
    assert broken(room, record).startswith("no policy of reliability")


def test_other_rails_begin_the_policy_anew(room, tmp_path):
    allow(room, people=(OWNER,))
    room.allow_retraining("delay", Rails(max_loss=0.5), RELIABILITY, "more")
    assert "no policy of owner" in broken(room, retrained(room, tmp_path))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"difference": -0.01}, "worse by 0.0100, allowed 0.002"),
        ({"policy": GatePolicy(p99_ms=5000)}, "another gate policy"),
        ({"data": {"incumbent": "sha256:other"}}, "not compared with the champion"),
        ({"resources": None}, "no resource profile"),
        ({"resources": profile(memory_limit_bytes=10 << 30)}, "times the memory"),
        ({"checks": (Check("better.auc", "?", True, "by a baseline", {}),)}, "was not measured"),
    ],
)
def test_each_guard_rail_holds(room, tmp_path, changes, why):
    allow(room)
    assert why in broken(room, retrained(room, tmp_path, **changes))


def test_a_pipeline_other_than_the_bases_does_not_pass(room, tmp_path):
    allow(room)
    other = retrained(room, tmp_path, made=piped(tmp_path, 9, "steal()"))
    assert broken(room, other) == "another training code"
    bare = retrained(room, tmp_path, made=parts(tmp_path, xgboost_model(10)))
    assert "no training code" in broken(room, bare)
    options = retrained(room, tmp_path, made=piped(tmp_path, 11, task="regression"))
    assert "another task" in broken(room, options)


def test_a_policy_expires(room, tmp_path):
    allow(room)
    record = retrained(room, tmp_path)
    room.clock = FixedClock(NOON + timedelta(days=31))
    assert "expired" in broken(room, record)


def test_who_declares_is_a_person_with_the_role_and_not_the_one_who_asks(room, tmp_path):
    owner_bot = Principal("robot", frozenset({"owner"}), bot=True)
    for who in (owner_bot, AUTHOR, OPERATOR):
        with pytest.raises(Forbidden):
            allow(room, people=(who,))
    with pytest.raises(Forbidden, match="another person"):
        allow(room, people=(OWNER, Principal(OWNER.subject, frozenset({"reliability"}))))
    allow(room, people=(RELIABILITY,))
    record = room.package(piped(tmp_path, 12), actor=OWNER.subject)
    room.keep_report(record, passing_report(record), "ci")
    assert f"{OWNER.subject} packaged or gated it" in broken(room, record)


def test_a_policy_edited_in_the_book_is_none(room, tmp_path):
    allow(room)
    base = room.registry.models.champion("delay")
    first, second = base.facts["standing"]
    wide = {**first, "word": {**first["word"], "rails": {"max_loss": 1.0}}}
    forged = replace(base, facts={**base.facts, "standing": [wide, second]})
    room.registry.models.save(forged, "x", "y")
    record = retrained(room, tmp_path)
    with pytest.raises(Corrupt):
        room.approve_retrained("delay", record.version, BOT)
