"""Who must consent to which change. Pure.

A policy line names a kind of change and the approvals that it takes. The proposer never counts, and
a bot never counts (decision 4).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.core.changes import Change, Plan
from registry.kernel.errors import Forbidden, Invalid

KINDS = ("text", "new feature", "meaning", "state", "removal", "service", "other")
DEFAULT_POLICY: Mapping[str, int] = {kind: 0 if kind == "text" else 1 for kind in KINDS}
APPROVER_ROLES = ("steward",)


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's consent to one plan."""

    subject: str
    roles: frozenset[str]
    bot: bool
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """An approval that a plan takes: how many, from which roles, and for which kinds of change."""

    count: int
    roles: tuple[str, ...]
    kinds: tuple[str, ...]


def kind_of(change: Change) -> str:
    """The policy's word for a change."""
    if change.aspect == "text":
        return "text"
    if change.object == "service":
        return "service"
    if change.object != "feature":
        return "other"
    if change.action in ("add", "move"):
        return "new feature"
    if change.action == "remove":
        return "removal"
    return "meaning" if change.aspect == "meaning" else "state"


def read_policy(table: Mapping[str, Any]) -> Mapping[str, int]:
    """`[policy]` of fieldhouse.toml: approvals by kind of change; others keep their default."""
    policy = dict(DEFAULT_POLICY)
    for name, count in table.items():
        kind = name.replace("_", " ")
        if kind not in policy or not isinstance(count, int) or count < 0:
            raise Invalid(
                f"[policy] {name} = {count!r} is not a policy line",
                f"known: {', '.join(k.replace(' ', '_') for k in KINDS)}",
                "give the number of approvals, 0 or more",
            )
        policy[kind] = count
    return policy


def needs(plan: Plan, policy: Mapping[str, int]) -> Need:
    """What the plan takes: the strictest of what its changes take."""
    kinds = sorted({kind_of(change) for change in plan.changes})
    count = max((policy[kind] for kind in kinds), default=0)
    return Need(count, APPROVER_ROLES, tuple(k for k in kinds if policy[k] > 0))


def check_approver(subject: str, roles: frozenset[str], bot: bool, proposer: str) -> None:
    """Raise `Forbidden` when this approval would not count, and say who could give it."""
    who = f"somebody else with role {' or '.join(APPROVER_ROLES)} can approve it"
    if subject == proposer:
        raise Forbidden(f"{subject} proposed this", "who proposes never approves", who)
    if bot:
        raise Forbidden(f"{subject} is a bot", "a bot's approval never counts", who)
    if not roles & set(APPROVER_ROLES):
        raise Forbidden(
            f"{subject} may not approve",
            f"has roles: {', '.join(sorted(roles)) or 'none'}",
            who,
        )


def missing(need: Need, proposer: str, approvals: Iterable[Approval]) -> int:
    """How many approvals are still missing."""
    counted = {
        a.subject
        for a in approvals
        if a.subject != proposer and not a.bot and a.roles & set(need.roles)
    }
    return max(0, need.count - len(counted))
