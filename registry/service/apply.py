"""Applying an approved plan: state, published state, audit and checkpoint in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from registry.core.apply import apply_plan
from registry.core.audit import ChainedEvent, Checkpoint, Event
from registry.core.changes import Change, Plan
from registry.core.compiled import Compiled, service_refs
from registry.core.policy import by_givers, lack_text
from registry.core.proposals import Proposal
from registry.core.published import Published
from registry.core.state import NamespaceState
from registry.kernel.errors import Conflict, Refused
from registry.ports import Principal, Transaction
from registry.service.check import CheckFailed, check_against
from registry.service.context import Context
from registry.service.propose import check_answered, standing
from registry.service.publishing import elsewhere, publish_state


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did. `changed` is False when the plan had been applied before."""

    proposal: Proposal
    published: Published
    changed: bool


def apply(context: Context, digest: str, compiled: Compiled, principal: Principal) -> Applied:
    """Carry out a proposal; `compiled` is its repository, compiled.

    Raises `Refused` when approvals are missing, `Conflict` when the registry moved on so that the
    plan is no longer the same, `CheckFailed` when a rule now stands against it. Applying twice is
    no change.
    """
    with context.store.write() as transaction:
        proposal = transaction.proposal(digest)
        if proposal.status == "applied":
            return Applied(proposal, _published(transaction, proposal), changed=False)
        applied, mark = _carry_out(context, transaction, proposal, compiled, principal)
    keep_checkpoint(context, mark)
    return applied


def _carry_out(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    compiled: Compiled,
    principal: Principal,
) -> tuple[Applied, Checkpoint]:
    _check_approved(context, transaction, proposal)
    state = transaction.state(proposal.namespace)
    planned = _same_plan(context, transaction, proposal, compiled, state)
    known = elsewhere(context, transaction, state, service_refs(compiled))
    after = apply_plan(planned, compiled, state, context.clock(), known)
    transaction.save_state(state, after)
    published = publish_state(context, transaction, after, principal.subject)
    applied = replace(proposal, status="applied")
    transaction.adopt_sketches(proposal.digest, proposal.namespace, context.clock())
    transaction.save_proposal(applied)
    events = transaction.append(_events(context, applied, principal))
    mark = mark_checkpoint(context, transaction, events[-1])
    return Applied(applied, published, changed=True), mark


def _same_plan(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    compiled: Compiled,
    state: NamespaceState,
) -> Plan:
    """The plan as it would be made now, when it still is the proposal's and nothing stands
    against it."""
    checked = check_against(context, compiled, state, transaction)
    if checked.plan.digest != proposal.digest:
        raise Conflict(
            f"the registry changed since proposal {proposal.digest} was made",
            "its plan would now be another",
            "plan and propose again",
        )
    if checked.refused:
        raise CheckFailed(checked)
    return checked.plan


def _published(transaction: Transaction, proposal: Proposal) -> Published:
    published = transaction.published(proposal.namespace)
    assert published is not None, "an applied proposal has published a state"
    return published


def _check_approved(context: Context, transaction: Transaction, proposal: Proposal) -> None:
    if proposal.status in ("rejected", "superseded"):
        raise Refused(f"the proposal is {proposal.status}", hint="propose again")
    stands = standing(context, transaction, proposal)
    check_answered(stands)
    lacks = [lack_text(group) for group in by_givers(stands.lacks)]
    if lacks:
        raise Refused(
            f"proposal {proposal.digest} is not approved",
            f"{stands.missing} approval(s) missing: {'; '.join(lacks)}",
            f"not {' nor '.join(proposal.proposers)}, who proposed it; "
            f"run: fieldhouse approve {proposal.digest}",
        )


def _events(context: Context, proposal: Proposal, principal: Principal) -> Iterator[Event]:
    for change in proposal.plan.changes:
        yield Event(
            at=context.clock(),
            actor=principal.subject,
            action=_action(change),
            subject=change.name,
            namespace=proposal.namespace,
            detail={
                "proposal": proposal.digest,
                "proposer": proposal.proposer,
                "version": change.version,
                "differences": [[d.facet, d.before, d.after] for d in change.differences],
            },
        )
    yield Event(
        at=context.clock(),
        actor=principal.subject,
        action="proposal:applied",
        subject=proposal.digest,
        namespace=proposal.namespace,
        detail={"changes": len(proposal.plan.changes), "proposer": proposal.proposer},
    )


def _action(change: Change) -> str:
    if change.object == "feature" and change.aspect == "state":
        return f"feature:state:{change.differences[0].after}"
    return f"{change.object}:{change.action}:{change.aspect}"


def mark_checkpoint(context: Context, transaction: Transaction, last: ChainedEvent) -> Checkpoint:
    """Sign where the chain stands. Give it to `keep_checkpoint` once the transaction is over."""
    message = checkpoint_message(last.sequence, last.hash)
    signature = context.key.sign(message)
    mark = Checkpoint(last.sequence, last.hash, context.clock(), signature.signature, signature.key)
    transaction.save_checkpoint(mark)
    return mark


def keep_checkpoint(context: Context, mark: Checkpoint) -> None:
    """Keep a checkpoint outside the database as well, where one is configured."""
    if context.checkpoints is not None:
        context.checkpoints.keep(mark)


def checkpoint_message(sequence: int, hash: str) -> bytes:
    """The bytes that a checkpoint's signature covers."""
    return f"fieldhouse audit checkpoint {sequence} {hash}".encode()
