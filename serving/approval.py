"""Who lets a model out, on what evidence: an approval binds a bundle's digest to a report's digest.

Moves: packaged → gated → approved → champion → retired, or rejected. Release is elsewhere.
"""

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
from serving.signing import TrustedKeys, seal, verify

APPROVERS = ("owner",)


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word. Instants are aware UTC."""

    model: str
    version: str
    bundle_digest: str
    report_digest: str
    approved_by: str
    comment: str
    at: datetime
    expires_at: datetime

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self)).encode()


def approve_model(
    record: ModelRecord,
    report: GateReport,
    approver: Principal,
    comment: str,
    *,
    models: ModelBook,
    key: SigningKey,
    now: datetime,
    valid_days: int,
) -> ModelRecord:
    """Approve what a passed report measured; returns the record as `approved`.

    `report` was verified by the caller. Raises `Forbidden` (who) or `Refused` (what).
    """
    _check_who(record, report, approver, comment)
    _check_what(record, report)
    approval = Approval(
        model=record.name,
        version=record.version,
        bundle_digest=record.bundle_digest,
        report_digest=report.digest,
        approved_by=approver.subject,
        comment=comment,
        at=now,
        expires_at=now + timedelta(days=valid_days),
    )
    facts = {
        **record.facts,
        "approval": msgspec.to_builtins(approval),
        "approval_seal": seal(key, "approval", approval.encode()).decode(),
    }
    approved = replace(record, state="approved", facts=facts)
    models.save(approved, approver.subject, "model:approved", comment)
    return approved


def _check_who(record: ModelRecord, report: GateReport, approver: Principal, comment: str) -> None:
    if not approver.roles & set(APPROVERS):
        raise Forbidden(f"{approver.subject} may not approve models", "it needs the role owner")
    if approver.bot:
        raise Forbidden(f"{approver.subject} is a bot", "a person approves a model")
    if approver.subject in (record.created_by, report.requested_by):
        raise Forbidden(
            f"{approver.subject} packaged or gated {record.name} {record.version}",
            hint="who asks never approves: another owner must",
        )
    if not comment.strip():
        raise Refused("an approval needs a comment", hint="say what convinced you")


def _check_what(record: ModelRecord, report: GateReport) -> None:
    if record.state != "gated":
        raise Refused(
            f"model {record.name} {record.version} is {record.state}",
            hint="only a gated version can be approved: run the gate",
        )
    if (report.model, report.version, report.bundle_digest) != (
        record.name,
        record.version,
        record.bundle_digest,
    ):
        raise Refused(
            f"the report is about {report.model} {report.version}",
            f"asked to approve {record.name} {record.version} of digest {record.bundle_digest}",
        )
    if not report.passed:
        raise Refused(
            "the gate did not pass", ", ".join(c.id for c in report.checks if not c.passed)
        )


def reject_model(
    record: ModelRecord, by: Principal, reason: str, *, models: ModelBook
) -> ModelRecord:
    """Say no for good: the version can then only be packaged anew. Raises as approval does."""
    if not by.roles & set(APPROVERS):
        raise Forbidden(f"{by.subject} may not reject models", "it needs the role owner")
    if record.state not in ("packaged", "gated", "approved"):
        raise Refused(f"model {record.name} {record.version} is {record.state}")
    rejected = replace(record, state="rejected")
    models.save(rejected, by.subject, "model:rejected", reason)
    return rejected


def check_approval(record: ModelRecord, trusted: TrustedKeys, now: datetime | None = None) -> None:
    """Raises `Refused` or `Corrupt` unless a trusted key sealed an approval of this very bundle.

    With `now` an approval past its expiry is refused as well: it limits release, not service.
    """
    document = record.facts.get("approval")
    if not document:
        raise Refused(f"model {record.name} {record.version} was never approved")
    approval = _read(document)
    verify(
        str(record.facts.get("approval_seal", "")).encode(), "approval", approval.encode(), trusted
    )
    bound = (approval.model, approval.version, approval.bundle_digest, approval.report_digest)
    present = (record.name, record.version, record.bundle_digest, record.facts.get("report_digest"))
    if bound != present:
        raise Refused(
            f"the approval of {record.name} {record.version} has lapsed",
            "the bundle or its report is not the one that was approved",
        )
    if now is not None and now > approval.expires_at:
        raise Refused(
            f"the approval of {record.name} {record.version} expired",
            format_instant(approval.expires_at),
            "have it gated and approved again",
        )


def _read(document: Any) -> Approval:
    try:
        return msgspec.convert(document, Approval)
    except msgspec.ValidationError as error:
        raise Corrupt("the approval cannot be read", str(error)) from error
