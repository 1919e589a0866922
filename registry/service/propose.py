"""Putting a plan forward, and consenting to it. Who proposes never approves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from registry.core.answerable import answerable
from registry.core.audit import Event
from registry.core.changes import Plan
from registry.core.compiled import Compiled
from registry.core.owners import same_subject
from registry.core.planning import read_by
from registry.core.policy import Approval, Lack, Need, by_givers, check_approver, lacking, needs
from registry.core.proposals import PENDING, Proposal
from registry.core.questions import question_text
from registry.core.similarity.likeness import Likeness
from registry.kernel.errors import NotFound, Refused
from registry.ports import Principal, Transaction
from registry.service.check import Checked, CheckFailed, check, readers_of
from registry.service.context import Context
from registry.service.questions import proposed_features, questions_of, still_asked


@dataclass(frozen=True, slots=True)
class Standing:
    """A proposal, what it takes, and what of that is still lacking: approvals, and answers to the
    questions about features that look alike."""

    proposal: Proposal
    needs: tuple[Need, ...]
    lacks: tuple[Lack, ...]
    approvals: tuple[Approval, ...] = ()
    questions: tuple[Likeness, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing is lacking."""
        return not self.lacks and not self.questions

    @property
    def missing(self) -> int:
        """How many approvals are missing, each serving all that its giver can give."""
        return sum(max(lack.count for lack in group) for group in by_givers(self.lacks))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proposal comes from when a pull request makes it: see `Proposal`."""

    name: str = ""
    commit: str = ""
    behind: tuple[str, ...] = ()


NO_ORIGIN = Origin()


def propose(
    context: Context,
    compiled: Compiled,
    principal: Principal,
    reason: str = "",
    origin: Origin = NO_ORIGIN,
    checked: Checked | None = None,
) -> Standing:
    """Check the repository, unless `checked` is its check of now, and keep its plan as a proposal.
    Proposing the same again changes nothing, but that whoever does it is one of the proposers from
    then on.

    A pull request has one proposal at a time: another plan supersedes it. Raises `CheckFailed`
    with every finding, or `Refused` when there is nothing to propose. A refusal is audited too.
    """
    checked = checked or check(context, compiled)
    if checked.plan.empty:
        raise Refused("there is nothing to propose", "the registry holds these definitions already")
    if checked.refused:
        _audit_refusal(context, compiled, checked, principal)
        raise CheckFailed(checked)
    with context.store.write() as transaction:
        _supersede(context, transaction, checked.plan, principal, origin)
        known = _pending(transaction, checked.plan.digest)
        if known is None:
            known = _opened(context, transaction, compiled, checked, principal, reason)
        known = replace(known, plan=checked.plan)  # the same changes, and who reads them now
        known = replace(known, findings=still_asked(known.findings, checked.findings))
        added = proposed_features(compiled, checked, known.proposer)
        transaction.save_proposed(known.digest, added)
        joined = _joined(known, principal, origin, _issuers(transaction, principal))
        return resettled(context, transaction, joined)


def _opened(
    context: Context,
    transaction: Transaction,
    compiled: Compiled,
    checked: Checked,
    principal: Principal,
    reason: str,
) -> Proposal:
    """A new proposal. Approvals of an earlier one with the same plan do not count for it."""
    made = _made(context, compiled, checked, principal, reason)
    transaction.save_proposal(made)
    for approval in transaction.approvals(made.digest):
        transaction.drop_approval(made.digest, approval.subject)
    transaction.append([_event(context, principal, made, "proposal:opened", reason)])
    transaction.append(_waivers(context, made))
    return made


def _issuers(transaction: Transaction, principal: Principal) -> tuple[str, ...]:
    """Who gave a bot its tokens, and so can speak by it."""
    if not principal.bot:
        return ()
    events = (chained.event for chained in transaction.events(principal.subject))
    return tuple(dict.fromkeys(e.actor for e in events if e.action == "token:issued"))


def _joined(
    known: Proposal, principal: Principal, origin: Origin, issuers: tuple[str, ...]
) -> Proposal:
    """The proposal with all who put it forward: of a pull request those whom the forge names, of a
    bot's own proposal those who made the bot."""
    others = origin.behind if origin.name else issuers
    behind = dict.fromkeys([*known.behind, principal.subject, *others])
    others = tuple(name for name in behind if not same_subject(name, known.proposer))
    joined = replace(known, behind=others)
    if not origin.name:
        return joined
    return replace(joined, origin=origin.name, commit=origin.commit)


def _supersede(
    context: Context,
    transaction: Transaction,
    planned: Plan,
    principal: Principal,
    origin: Origin,
) -> None:
    """Close what the same pull request proposed before."""
    if not origin.name:
        return
    for proposal in _pending_of(transaction, planned.namespace, origin.name):
        if proposal.digest != planned.digest:
            over = replace(proposal, status="superseded")
            transaction.save_proposal(over)
            reason = f"the plan of {origin.name} is {planned.digest} now"
            transaction.append([_event(context, principal, over, "proposal:superseded", reason)])


def _pending_of(transaction: Transaction, namespace: str, origin: str) -> list[Proposal]:
    return [p for p in transaction.pending(namespace) if p.origin == origin]


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
    """Record one person's consent to exactly that plan. Raises `Forbidden` when it can't count,
    `Refused` when the proposal is over; either is audited."""
    with _audited(context, digest, principal, "approval:refused"):
        return _approved(context, digest, principal, comment)


@contextmanager
def _audited(context: Context, digest: str, principal: Principal, action: str) -> Iterator[None]:
    """Keep an event of a refusal of what is done inside."""
    try:
        yield
    except Refused as refused:
        event = Event(context.clock(), principal.subject, action, digest, str(refused))
        with context.store.write() as transaction:
            transaction.append([event])
        raise


def _approved(context: Context, digest: str, principal: Principal, comment: str) -> Standing:
    with context.store.write() as transaction:
        proposal = _open_proposal(transaction, digest)
        _check_approver(context, transaction, proposal, principal)
        check_answered(standing(context, transaction, proposal))
        approval = Approval(
            principal.subject, principal.roles, principal.bot, context.clock(), comment
        )
        transaction.save_approval(proposal.digest, approval)
        stands = resettled(context, transaction, proposal)
        transaction.append([_event(context, principal, proposal, "proposal:approved", comment)])
        return stands


def _check_approver(
    context: Context, transaction: Transaction, proposal: Proposal, principal: Principal
) -> None:
    asked = needs_of(context, transaction, proposal)
    check_approver(principal.subject, principal.roles, principal.bot, proposal.proposers, asked)


def reject(context: Context, digest: str, principal: Principal, reason: str) -> Proposal:
    """Close a proposal for good; its proposer may take it back, others need an approver's role. A
    refusal is audited."""
    with _audited(context, digest, principal, "rejection:refused"):
        return _rejected(context, digest, principal, reason)


def _rejected(context: Context, digest: str, principal: Principal, reason: str) -> Proposal:
    with context.store.write() as transaction:
        proposal = _open_proposal(transaction, digest)
        if not same_subject(principal.subject, proposal.proposer):
            _check_approver(context, transaction, proposal, principal)
        rejected = replace(proposal, status="rejected")
        transaction.save_proposal(rejected)
        transaction.append([_event(context, principal, rejected, "proposal:rejected", reason)])
        return rejected


def needs_of(context: Context, transaction: Transaction, proposal: Proposal) -> tuple[Need, ...]:
    """What a proposal takes, by the policy and the owners in force."""
    now = context.clock()
    state = transaction.state(proposal.namespace)
    answer = answerable(
        proposal.repository,
        state,
        context.owners,
        lambda subject: transaction.holder(subject, now) is not None,
    )
    planned = read_by(proposal.plan, state, readers_of(state, transaction))
    return needs(planned, context.policy, answer, proposal.proposers)


def standing(context: Context, transaction: Transaction, proposal: Proposal) -> Standing:
    """What a proposal still takes, by the policy in force."""
    asked = needs_of(context, transaction, proposal)
    approvals = tuple(transaction.approvals(proposal.digest))
    lacks = lacking(asked, proposal.proposers, approvals)
    questions = questions_of(context, transaction, proposal.findings)
    return Standing(proposal, asked, lacks, approvals, questions)


def resettled(context: Context, transaction: Transaction, proposal: Proposal) -> Standing:
    """Save the proposal as checked or approved, whichever it is now."""
    enough = standing(context, transaction, proposal).settled
    settled = replace(proposal, status="approved" if enough else "checked")
    transaction.save_proposal(settled)
    return standing(context, transaction, settled)


def check_answered(stands: Standing) -> None:
    """Raise `Refused` while a question is open, naming it and how to answer it."""
    if stands.questions:
        first = stands.questions[0]
        more = len(stands.questions) - 1
        also = f"; and {more} more: fieldhouse proposals show" if more else ""
        raise Refused(
            f"proposal {stands.proposal.digest} waits for an answer",
            question_text(first),
            f"{first.command}{also}",
        )


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
