"""Approval and release: who may, on what evidence, and what the audit shows afterwards."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

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
    RELIABILITY,
    approved,
    open_room,
    parts,
    passing_report,
    profile,
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


def approve(room, record, by=OWNER, comment="good", role=None):
    return room.approve(record.name, record.version, by, comment, role)


def test_owner_and_reliability_engineer_approve_and_an_operator_promotes(room, gated):
    assert approve(room, gated).state == "gated"
    assert approve(room, gated, RELIABILITY).state == "approved"
    champion = room.promote(gated.name, gated.version, OPERATOR)
    assert champion.state == "champion"
    assert room.registry.models.champion(gated.name).version == gated.version
    actions = [event[1] for event in room.registry.models.events]
    words = ["model:approved:owner", "model:approved:reliability"]
    assert actions[:4] == ["model:packaged", "model:gated", *words]


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (Principal("x", frozenset({"author", "operator", "admin"})), "role owner or reliability"),
        (Principal("bot", frozenset({"owner"}), bot=True), "bot"),
        (Principal(AUTHOR.subject, frozenset({"owner"})), "packaged or gated"),
        (Principal("ci@example.com", frozenset({"owner"})), "packaged or gated"),
    ],
)
def test_whoever_may_not_approve_is_told_why(room, gated, who, why):
    with pytest.raises(Forbidden, match=why):
        approve(room, gated, who)


def test_one_person_gives_one_word_whatever_roles_they_hold(room, gated):
    both = Principal("boss", frozenset({"owner", "reliability"}))
    approve(room, gated, both, role="reliability")
    with pytest.raises(Forbidden, match="another person"):
        approve(room, gated, both, role="owner")
    with pytest.raises(Refused, match="word of reliability already"):
        approve(room, gated, RELIABILITY)
    assert approve(room, gated).state == "approved"


def test_a_role_that_the_policy_does_not_name_gives_no_word(room, gated):
    with pytest.raises(Forbidden, match="as steward"):
        approve(room, gated, Principal("x", frozenset({"steward", "owner"})), role="steward")


def test_without_the_reliability_engineers_word_nothing_is_released(room, gated):
    approve(room, gated)
    with pytest.raises(Refused, match="is gated"):
        room.promote(gated.name, gated.version, OPERATOR)
    half = room.registry.models.get(gated.name)
    room.registry.models.save(replace(half, state="approved"), "x", "model:approved")
    with pytest.raises(Refused, match="lacks the approval of reliability"):
        room.promote(gated.name, gated.version, OPERATOR)


def test_a_reliability_engineer_approves_no_report_without_a_resource_profile(room, gated):
    record = room.keep_report(gated, passing_report(gated, resources=None), "ci@example.com")
    with pytest.raises(Refused, match="no resource profile"):
        approve(room, record, RELIABILITY)


def test_gating_again_voids_the_words_given_before(room, gated):
    approve(room, gated)
    other = passing_report(gated, seconds=2.0)
    record = room.keep_report(gated, other, "ci@example.com")
    assert "approvals" not in record.facts
    assert approve(room, record, RELIABILITY).state == "gated"


def test_a_policy_of_one_role_needs_one_word(tmp_path):
    room = open_room(tmp_path, FIELDHOUSE_SERVING_APPROVERS="owner")
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    room.keep_report(record, passing_report(record), "ci@example.com")
    assert approve(room, record).state == "approved"


def test_a_stricter_policy_holds_back_releases_and_not_service(room, tmp_path):
    loose = open_room(tmp_path, FIELDHOUSE_SERVING_APPROVERS="owner")
    record = loose.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    loose.keep_report(record, passing_report(record), "ci@example.com")
    by_owner = approve(loose, record)
    check_approval(by_owner, loose.trusted)
    with pytest.raises(Refused, match="lacks the approval of reliability"):
        check_approval(by_owner, loose.trusted, needs=room.approvers)


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


@pytest.mark.parametrize("fact", ["report_digest", "profile_digest", "bundle"])
def test_an_approval_lapses_when_bundle_report_or_profile_is_another(room, gated, fact):
    record = approved(room, gated)
    check_approval(record, room.trusted)
    other = replace(record, facts={**record.facts, fact: "sha256:x"})
    if fact == "bundle":
        other = replace(record, bundle_digest="sha256:x")
    with pytest.raises(Refused, match="lapsed"):
        check_approval(other, room.trusted)


def test_an_approval_of_another_version_cannot_be_moved_over(room, gated, tmp_path):
    words = approved(room, gated).facts["approvals"]
    other = room.package(parts(tmp_path, xgboost_model(9)), actor=AUTHOR.subject)
    room.keep_report(other, passing_report(other), "ci@example.com")
    moved = room.registry.models.get("delay", other.version)
    moved = replace(moved, state="approved", facts={**moved.facts, "approvals": words})
    room.registry.models.save(moved, "x", "model:approved")
    with pytest.raises(Refused, match="lapsed"):
        room.promote("delay", other.version, OPERATOR)


def test_words_sealed_by_a_key_that_is_not_trusted_here_do_not_count(room, gated, tmp_path):
    record = approved(room, gated)
    stranger = open_room(tmp_path / "elsewhere")
    stranger.signing_key  # noqa: B018 - made on first use
    with pytest.raises(Refused, match="not signed by a key"):
        check_approval(record, stranger.trusted)


def test_a_report_that_passed_in_name_only_is_no_evidence(room, gated):
    report = passing_report(gated)
    failed = replace(report, checks=(replace(report.checks[0], passed=False),))
    record = room.keep_report(gated, failed, "ci@example.com")
    with pytest.raises(Refused, match=r"did not pass\n  better\.auc"):
        approve(room, record)


def test_an_approval_cannot_be_edited(room, gated):
    record = approved(room, gated)
    first, second = record.facts["approvals"]
    edited = {**first, "approval": {**first["approval"], "approved_by": "boss@example.com"}}
    for words in ([edited, second], [{**first, "approval": 3}], [first, first]):
        with pytest.raises(Corrupt):
            check_approval(
                replace(record, facts={**record.facts, "approvals": words}), room.trusted
            )


def test_an_approval_expires_for_release_and_not_for_service(room, gated):
    record = approved(room, gated)
    later = NOON + timedelta(days=31)
    check_approval(record, room.trusted)
    with pytest.raises(Refused, match="expired"):
        check_approval(record, room.trusted, later)
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


def test_who_answered_when_by_whose_word_and_on_what_evidence(room, tmp_path):
    moments = [NOON + timedelta(hours=hour) for hour in (1, 2, 3)]
    versions = []
    for moment, rounds in zip(moments[:2], (8, 9), strict=True):
        room.registry.clock = room.clock = FixedClock(moment)
        versions.append(released(room, parts(tmp_path, xgboost_model(rounds))))
    room.registry.clock = room.clock = FixedClock(moments[2])
    room.rollback("delay", OPERATOR, "slow")
    assert room.live("delay", NOON) is None
    then = room.live("delay", moments[1] + timedelta(minutes=5))
    assert (then.version, then.until) == (versions[1].version, moments[2])
    assert then.report_digest == versions[1].facts["report_digest"]
    assert then.profile_digest == profile().digest
    people = [(word["role"], word["approved_by"]) for word in then.approved_by]
    assert people == [("owner", OWNER.subject), ("reliability", RELIABILITY.subject)]
    now = room.live("delay")
    assert (now.version, now.released_by, now.reason) == (
        versions[0].version, OPERATOR.subject, "slow",
    )  # fmt: skip


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


def test_a_bundle_changed_in_the_store_is_neither_approved_nor_promoted(room, gated):
    model = Path(gated.facts["location"]) / "model.ubj"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + b"!")
    with pytest.raises(Corrupt, match=r"model\.ubj"):
        approve(room, gated)
    model.write_bytes(whole)
    approved(room, gated)
    model.write_bytes(whole[:50])
    with pytest.raises(Corrupt, match=r"model\.ubj"):
        room.promote(gated.name, gated.version, OPERATOR)


def test_rolling_back_takes_a_role_and_a_past(room, tmp_path):
    released(room, parts(tmp_path, xgboost_model(8)))
    with pytest.raises(Forbidden):
        room.rollback("delay", AUTHOR, "x")
    with pytest.raises(Refused, match="no version to go back to"):
        room.rollback("delay", OPERATOR, "x")
