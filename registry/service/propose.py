"""Putting a plan forward, and consenting to it. Who proposes never approves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from registry.core.audit import Event
from registry.core.compiled import Compiled
from registry.core.policy import Approval, Need, check_approver, missing, needs
from registry.core.proposals import PENDING, Proposal
from registry.kernel.errors import NotFound, Refused
from registry.ports import Principal, Transaction
from registry.service.check import Checked, CheckFailed, check
from registry.service.context import Context


@dataclass(frozen=True, slots=True)
class Standing:
    """A proposal and what it still takes."""

    proposal: Proposal
    need: Need
    missing: int


def propose(
    context: Context, compiled: Compiled, principal: Principal, reason: str = ""
) -> Standing:
    """Check the repository and keep its plan as a proposal. Proposing the same again is no change.

    Raises `CheckFailed` with every finding, or `Refused` when there is nothing to propose. A
    refusal is audited too.
    """
    checked = check(context, compiled)
    if checked.plan.empty:
        raise Refused("there is nothing to propose", "the registry holds these definitions already")
    if checked.refused:
        _audit_refusal(context, compiled, checked, principal)
        raise CheckFailed(checked)
    with context.store.write() as transaction:
        known = _pending(transaction, checked.plan.digest)
        if known is None:
            known = _made(context, compiled, checked, principal, reason)
            known = _settled(context, transaction, known)
            transaction.save_proposal(known)
            transaction.append([_event(context, principal, known, "proposal:opened", reason)])
            transaction.append(_waivers(context, known))
        return standing(context, transaction, known)


def _pending(transaction: Transaction, digest: str) -> Proposal | None:
    try:
        known = transaction.proposal(digest)
    except NotFound:
        return None
    return known if known.status in PENDING else None


def _made(
    context: Context, compiled: Compiled, checked: Checked, principal: Principal, reason: str
) -> Proposal:
    return Proposal(
        digest=checked.plan.digest,
        namespace=compiled.namespace,
        status="checked",
        proposer=principal.subject,
        proposer_bot=principal.bot,
        at=context.clock(),
        plan=checked.plan,
        repository=compiled.repository,
        findings=checked.findings,
        reason=reason,
    )


def approve(context: Context, digest: str, principal: Principal, comment: str = "") -> Standing:
    """Record one person's consent to exactly that plan; raises `Forbidden` when it can't count."""
    with context.store.write() as transaction:
        proposal = _open_proposal(transaction, digest)
        check_approver(principal.subject, principal.roles, principal.bot, proposal.proposer)
        approval = Approval(
            principal.subject, principal.roles, principal.bot, context.clock(), comment
        )
        transaction.save_approval(proposal.digest, approval)
        proposal = _settled(context, transaction, proposal)
        transaction.save_proposal(proposal)
        transaction.append([_event(context, principal, proposal, "proposal:approved", comment)])
        return standing(context, transaction, proposal)


def reject(context: Context, digest: str, principal: Principal, reason: str) -> Proposal:
    """Close a proposal for good; its proposer may take it back, others need an approver's role."""
    with context.store.write() as transaction:
        proposal = _open_proposal(transaction, digest)
        if principal.subject != proposal.proposer:
            check_approver(principal.subject, principal.roles, principal.bot, proposal.proposer)
        rejected = replace(proposal, status="rejected")
        transaction.save_proposal(rejected)
        transaction.append([_event(context, principal, rejected, "proposal:rejected", reason)])
        return rejected


def standing(context: Context, transaction: Transaction, proposal: Proposal) -> Standing:
    """What a proposal still takes, by the policy in force."""
    need = needs(proposal.plan, context.policy)
    approvals = transaction.approvals(proposal.digest)
    return Standing(proposal, need, missing(need, proposal.proposer, approvals))


def _settled(context: Context, transaction: Transaction, proposal: Proposal) -> Proposal:
    enough = standing(context, transaction, proposal).missing == 0
    return replace(proposal, status="approved") if enough else proposal


def _open_proposal(transaction: Transaction, digest: str) -> Proposal:
    proposal = transaction.proposal(digest)
    if proposal.status not in PENDING:
        raise Refused(f"proposal {digest} is {proposal.status}", hint="propose again")
    return proposal


def _waivers(context: Context, proposal: Proposal) -> Iterator[Event]:
    """An event for each finding that a waiver took out of the way."""
    for finding in proposal.findings:
        if finding.waived_by:
            yield Event(
                at=context.clock(),
                actor=finding.waived_by,
                action="finding:waived",
                subject=finding.subject,
                reason=finding.message,
                namespace=proposal.namespace,
                detail={"rule": finding.rule, "proposal": proposal.digest},
            )


def _event(
    context: Context, principal: Principal, proposal: Proposal, action: str, reason: str
) -> Event:
    return Event(
        at=context.clock(),
        actor=principal.subject,
        action=action,
        subject=proposal.digest,
        reason=reason,
        namespace=proposal.namespace,
        detail={"bot": principal.bot, "changes": len(proposal.plan.changes)},
    )


def _audit_refusal(
    context: Context, compiled: Compiled, checked: Checked, principal: Principal
) -> None:
    event = Event(
        at=context.clock(),
        actor=principal.subject,
        action="proposal:refused",
        subject=checked.plan.digest,
        namespace=compiled.namespace,
        detail={"rules": sorted({finding.rule for finding in checked.errors})},
    )
    with context.store.write() as transaction:
        transaction.append([event])
