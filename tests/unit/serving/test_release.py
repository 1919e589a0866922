"""Approval and release: who may, on what evidence, and what the audit shows afterwards."""

from dataclasses import replace
from datetime import timedelta

import pytest

from registry.kernel.clock import FixedClock
from registry.kernel.errors import Corrupt, Forbidden, Refused
from registry.ports import Principal
from registry.testing import NOON
from serving.approval import check_approval
from tests.model_room import (
    AUTHOR,
    OPERATOR,
    OWNER,
    open_room,
    parts,
    passing_report,
    released,
    xgboost_model,
)


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path)


@pytest.fixture
def gated(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    room.keep_report(record, passing_report(record), "ci@example.com")
    return room.registry.models.get(record.name, record.version)


def approve(room, record, by=OWNER, comment="good"):
    return room.approve(record.name, record.version, by, comment)


def test_an_owner_approves_and_an_operator_promotes(room, gated):
    approve(room, gated)
    champion = room.promote(gated.name, gated.version, OPERATOR)
    assert champion.state == "champion"
    assert room.registry.models.champion(gated.name).version == gated.version
    actions = [event[1] for event in room.registry.models.events]
    assert actions[:3] == ["model:packaged", "model:gated", "model:approved"]


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (Principal("x", frozenset({"author", "operator", "admin"})), "role owner"),
        (Principal("bot", frozenset({"owner"}), bot=True), "bot"),
        (Principal(AUTHOR.subject, frozenset({"owner"})), "packaged or gated"),
        (Principal("ci@example.com", frozenset({"owner"})), "packaged or gated"),
    ],
)
def test_whoever_may_not_approve_is_told_why(room, gated, who, why):
    with pytest.raises(Forbidden, match=why):
        approve(room, gated, who)


def test_an_approval_says_why(room, gated):
    with pytest.raises(Refused, match="comment"):
        approve(room, gated, comment="  ")


def test_only_a_gated_version_is_approved(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    with pytest.raises(Refused, match="packaged"):
        approve(room, record)


def test_a_failed_gate_leaves_nothing_to_approve(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    room.keep_report(record, passing_report(record, passed=False), "ci@example.com")
    assert room.registry.models.get(record.name).state == "packaged"
    with pytest.raises(Refused):
        approve(room, record)


def test_a_report_of_another_bundle_is_no_evidence(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    other = passing_report(record, bundle_digest="sha256:other")
    room.keep_report(record, other, "ci@example.com")
    with pytest.raises(Refused, match="report is about"):
        approve(room, record)


def test_a_report_changed_in_the_store_is_no_evidence(room, gated):
    location = gated.facts["report_location"]
    from pathlib import Path

    file = Path(location) / "report.json"
    file.write_bytes(file.read_bytes().replace(b'"better"', b'"better!"'))
    with pytest.raises(Corrupt):
        approve(room, gated)


def test_a_state_set_by_hand_is_not_an_approval(room, gated):
    forged = replace(gated, state="approved")
    room.registry.models.save(forged, "x", "model:approved")
    with pytest.raises(Refused, match="never approved"):
        room.promote(gated.name, gated.version, OPERATOR)


def test_an_approval_lapses_when_the_bundle_or_the_report_is_another(room, gated):
    approved = approve(room, gated)
    check_approval(approved, room.trusted)
    with pytest.raises(Refused, match="lapsed"):
        check_approval(replace(approved, bundle_digest="sha256:x"), room.trusted)
    facts = {**approved.facts, "report_digest": "sha256:x"}
    with pytest.raises(Refused, match="lapsed"):
        check_approval(replace(approved, facts=facts), room.trusted)


def test_an_approval_cannot_be_edited(room, gated):
    approved = approve(room, gated)
    document = {**approved.facts["approval"], "approved_by": "boss@example.com"}
    with pytest.raises(Corrupt):
        check_approval(
            replace(approved, facts={**approved.facts, "approval": document}), room.trusted
        )


def test_an_approval_expires_for_release_and_not_for_service(room, gated):
    approved = approve(room, gated)
    later = NOON + timedelta(days=31)
    check_approval(approved, room.trusted)
    with pytest.raises(Refused, match="expired"):
        check_approval(approved, room.trusted, later)
    room.clock = FixedClock(later)
    with pytest.raises(Refused, match="expired"):
        room.promote(gated.name, gated.version, OPERATOR)


def test_promotion_needs_a_role_and_an_approval(room, gated):
    with pytest.raises(Forbidden):
        room.promote(gated.name, gated.version, AUTHOR)
    with pytest.raises(Refused, match="only an approved"):
        room.promote(gated.name, gated.version, OPERATOR)


def test_a_rejected_version_stays_out(room, gated):
    room.reject(gated.name, gated.version, OWNER, "wrong label")
    with pytest.raises(Refused, match="rejected"):
        approve(room, gated)
    with pytest.raises(Forbidden):
        room.reject(gated.name, gated.version, AUTHOR, "no")


def two_releases(room, tmp_path):
    first = released(room, parts(tmp_path, xgboost_model(8)))
    second = released(room, parts(tmp_path, xgboost_model(9)))
    return first, second


def test_promoting_keeps_the_one_before_approved_for_the_way_back(room, tmp_path):
    first, second = two_releases(room, tmp_path)
    states = {r.version: r.state for r in room.registry.models.all("delay")}
    assert states == {first.version: "approved", second.version: "champion"}


def test_rollback_swaps_back_and_retires_the_one_taken_back(room, tmp_path):
    first, second = two_releases(room, tmp_path)
    assert room.rollback("delay", OPERATOR, "slow").version == first.version
    assert room.registry.models.champion("delay").version == first.version
    assert room.registry.models.get("delay", second.version).state == "retired"
    with pytest.raises(Refused, match="no version to go back to"):
        room.rollback("delay", OPERATOR, "again")
    with pytest.raises(Refused, match="retired"):
        room.promote("delay", second.version, OPERATOR)


def test_promoting_the_champion_again_changes_nothing(room, tmp_path):
    first, _ = two_releases(room, tmp_path)
    room.rollback("delay", OPERATOR, "slow")
    before = len(room.registry.models.events)
    room.promote("delay", first.version, OPERATOR)
    assert len(room.registry.models.events) == before
