"""Who lets a model out, on what evidence: words that bind a bundle, its report, its resources.

Each role that the policy names gives one word, each from another person. Moves: packaged → gated →
approved → champion → retired, or rejected. Release is elsewhere, and so is the policy by which
retrained versions pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from registry.kernel.canonical import canonical_json
from registry.kernel.clock import format_instant
from registry.kernel.errors import Corrupt, Forbidden, Refused
from registry.kernel.signing import SigningKey
from registry.ports import ModelBook, ModelRecord, Principal
from serving.gate.report import GateReport
from serving.history import evidence_of
from serving.signing import TrustedKeys, seal, verify

APPROVALS = "approvals"
RELIABILITY = "reliability"
REJECTERS = ("owner", RELIABILITY)
Digests = tuple[str, str, str, str, str | None]


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word, in one role. Instants are aware UTC.

    `needs` are the roles whose words the policy asked for then. `policy` is the digest of a
    standing policy when the word was given beforehand, for retrained versions.
    """

    model: str
    version: str
    bundle_digest: str
    report_digest: str
    profile_digest: str | None
    role: str
    needs: tuple[str, ...]
    approved_by: str
    comment: str
    at: datetime
    expires_at: datetime
    policy: str | None = None

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self)).encode()

    @property
    def binds(self) -> Digests:
        return (
            self.model,
            self.version,
            self.bundle_digest,
            self.report_digest,
            self.profile_digest,
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """What decisions are made with: the book, our key and the trusted ones, the time, the policy.

    `needs` are the roles that must each speak, `valid_days` how long their words may be used.
    """

    models: ModelBook
    key: SigningKey
    trusted: TrustedKeys
    now: datetime
    needs: tuple[str, ...]
    valid_days: int


def approve_model(
    record: ModelRecord,
    report: GateReport,
    approver: Principal,
    comment: str,
    desk: Desk,
    role: str | None = None,
) -> ModelRecord:
    """Give one role's word on what a passed report measured.

    Returns the record, `approved` once all roles that are needed have spoken. `role` chooses where
    the approver holds several. `report` was verified by the caller. Raises `Forbidden` (who) or
    `Refused` (what).
    """
    check_report(record, report)
    given = read_approvals(record, desk.trusted)
    _check_person(record, report, approver, comment)
    chosen = _role_of(record, approver, desk.needs, role, given)
    if chosen == RELIABILITY and report.resources is None:
        raise Refused(
            f"the report of {record.name} {record.version} has no resource profile",
            hint="gate it again: a reliability engineer approves what was measured",
        )
    word = Approval(
        model=record.name,
        version=record.version,
        bundle_digest=record.bundle_digest,
        report_digest=report.digest,
        profile_digest=report.profile_digest,
        role=chosen,
        needs=desk.needs,
        approved_by=approver.subject,
        comment=comment,
        at=desk.now,
        expires_at=desk.now + timedelta(days=desk.valid_days),
    )
    return keep_words(record, [*given, word], approver.subject, comment, desk)


def keep_words(
    record: ModelRecord, words: Sequence[Approval], actor: str, comment: str, desk: Desk
) -> ModelRecord:
    """Seal all words and save them; the record is `approved` when none is missing any more."""
    sealed = [
        {
            "approval": msgspec.to_builtins(word),
            "seal": seal(desk.key, "approval", word.encode()).decode(),
        }
        for word in words
    ]
    newest = words[-1]
    complete = set(newest.needs) <= {word.role for word in words}
    facts = {**record.facts, APPROVALS: sealed}
    state = "approved" if complete else record.state
    changed = replace(record, state=state, facts=facts)
    by = "policy" if newest.policy else newest.role
    desk.models.save(changed, actor, f"model:approved:{by}", comment, evidence_of(changed))
    return changed


def _check_person(
    record: ModelRecord, report: GateReport, approver: Principal, comment: str
) -> None:
    if approver.bot:
        raise Forbidden(f"{approver.subject} is a bot", "a person approves a model")
    if approver.subject in (record.created_by, report.requested_by):
        raise Forbidden(
            f"{approver.subject} packaged or gated {record.name} {record.version}",
            hint="who asks never approves: somebody else must",
        )
    if not comment.strip():
        raise Refused("an approval needs a comment", hint="say what convinced you")


def _role_of(
    record: ModelRecord,
    approver: Principal,
    needs: Sequence[str],
    role: str | None,
    given: Sequence[Approval],
) -> str:
    """The role that this word is given in, one that the policy needs and the approver holds."""
    held = [one for one in needs if one in approver.roles and role in (None, one)]
    if not held:
        asked = role or " or ".join(needs)
        raise Forbidden(
            f"{approver.subject} may not approve models as {asked}",
            f"it needs the role {' or '.join(needs)}",
        )
    about = f"{record.name} {record.version}"
    if any(word.approved_by == approver.subject for word in given):
        raise Forbidden(
            f"{approver.subject} has approved {about} already",
            hint="each role's word comes from another person",
        )
    open_roles = [one for one in held if one not in {word.role for word in given}]
    if not open_roles:
        raise Refused(f"{about} has the word of {' and '.join(held)} already")
    return open_roles[0]


def check_gated(record: ModelRecord) -> None:
    """Raises `Refused` unless the version is gated."""
    if record.state != "gated":
        raise Refused(
            f"model {record.name} {record.version} is {record.state}",
            hint="only a gated version can be approved: run the gate",
        )


def check_report(record: ModelRecord, report: GateReport) -> None:
    """Raises `Refused` unless the version is gated and the report is about it, and passed."""
    check_gated(record)
    if (report.model, report.version, report.bundle_digest) != (
        record.name,
        record.version,
        record.bundle_digest,
    ):
        raise Refused(
            f"the report is about {report.model} {report.version}",
            f"asked to approve {record.name} {record.version} of digest {record.bundle_digest}",
        )
    if not report.passed or not all(check.passed for check in report.checks):
        raise Refused(
            "the gate did not pass", ", ".join(c.id for c in report.checks if not c.passed)
        )


def reject_model(
    record: ModelRecord, by: Principal, reason: str, *, models: ModelBook
) -> ModelRecord:
    """Say no for good: the version can then only be packaged anew. Raises as approval does."""
    if not by.roles & set(REJECTERS):
        raise Forbidden(
            f"{by.subject} may not reject models", f"it needs the role {' or '.join(REJECTERS)}"
        )
    if record.state not in ("packaged", "gated", "approved"):
        raise Refused(f"model {record.name} {record.version} is {record.state}")
    if not reason.strip():
        raise Refused("a rejection needs a reason")
    rejected = replace(record, state="rejected")
    models.save(rejected, by.subject, "model:rejected", reason, evidence_of(rejected))
    return rejected


def check_approval(
    record: ModelRecord,
    trusted: TrustedKeys,
    now: datetime | None = None,
    needs: Sequence[str] | None = None,
) -> None:
    """Raises `Refused` or `Corrupt` unless trusted keys sealed enough words on this very bundle.

    Without `needs` the words must be those that were asked for when they were given. With `now` a
    word past its expiry is refused as well: both limit release, not service.
    """
    about = f"{record.name} {record.version}"
    words = read_approvals(record, trusted)
    if not words:
        raise Refused(f"model {about} was never approved")
    if any(word.binds != _present(record) for word in words):
        raise Refused(
            f"the approval of {about} has lapsed",
            "the bundle, its report or its resource profile is not the one that was approved",
        )
    asked = set(needs if needs is not None else words[-1].needs)
    absent = asked - {word.role for word in words}
    if absent:
        raise Refused(f"model {about} lacks the approval of {', '.join(sorted(absent))}")
    expired = [word.expires_at for word in words if now is not None and now > word.expires_at]
    if expired:
        raise Refused(
            f"the approval of {about} expired",
            format_instant(min(expired)),
            "have it gated and approved again",
        )


def _present(record: ModelRecord) -> Digests:
    facts = record.facts
    return (
        record.name,
        record.version,
        record.bundle_digest,
        str(facts.get("report_digest")),
        facts.get("profile_digest"),
    )


def read_approvals(record: ModelRecord, trusted: TrustedKeys) -> list[Approval]:
    """Every word on this version. Raises `Corrupt` or `Refused` for one that was not sealed so."""
    words = []
    for entry in record.facts.get(APPROVALS) or ():
        word = _read(entry)
        verify(str(entry.get("seal", "")).encode(), "approval", word.encode(), trusted)
        words.append(word)
    if len({word.role for word in words}) != len(words):
        raise Corrupt(f"{record.name} {record.version} has two words of one role")
    return words


def _read(entry: Any) -> Approval:
    try:
        return msgspec.convert(entry["approval"], Approval)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise Corrupt("the approval cannot be read", str(error)) from error
