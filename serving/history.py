"""What was live at a time, by whose word, on what evidence: read from audit events. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.core.audit import Event
from registry.ports import ModelRecord

PROMOTED = "model:champion"


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The version that answered at an instant, and why it could.

    `since` it was champion, put there by `released_by`. `approved_by` are the words given for it:
    role, person, comment and time, and the standing policy's digest when one spoke for them.
    """

    model: str
    version: str
    since: datetime
    until: datetime | None
    released_by: str
    reason: str
    bundle_digest: str | None
    report_digest: str | None
    profile_digest: str | None
    approved_by: tuple[Mapping[str, Any], ...]


def evidence_of(record: ModelRecord) -> dict[str, Any]:
    """What an audit event says of a version beside who did what: its state, digests and words."""
    words = [entry["approval"] for entry in record.facts.get("approvals") or ()]
    kept = ("role", "approved_by", "comment", "at", "policy")
    return {
        "state": record.state,
        "bundle": record.bundle_digest,
        "report": record.facts.get("report_digest"),
        "profile": record.facts.get("profile_digest"),
        "approvals": [{name: word.get(name) for name in kept} for word in words],
    }


def live_at(events: Sequence[Event], at: datetime) -> LiveModel | None:
    """What answered at `at`, by the events of one model, oldest first; None before the first."""
    swaps = [event for event in events if event.action == PROMOTED]
    held = [event for event in swaps if event.at <= at]
    if not held:
        return None
    event = held[-1]
    after = [later.at for later in swaps if later.at > at]
    name, _, version = event.subject.rpartition("@")
    detail = event.detail or {}
    return LiveModel(
        model=name,
        version=version,
        since=event.at,
        until=after[0] if after else None,
        released_by=event.actor,
        reason=event.reason,
        bundle_digest=detail.get("bundle"),
        report_digest=detail.get("report"),
        profile_digest=detail.get("profile"),
        approved_by=tuple(detail.get("approvals") or ()),
    )
