"""What pull requests do to the registry: reviews become approvals, a merge is applied.

Runs where secrets are, on data alone: definitions come as values that another job read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from registry.core.audit import Event
from registry.core.changes import Plan
from registry.core.compiled import Compiled
from registry.core.definitions import Repository
from registry.core.policy import Approval, Need
from registry.core.proposals import Proposal
from registry.core.pull_requests import Ignored, Proposed, PullRequest, Review, decisions, problem
from registry.kernel.errors import Conflict, NotFound, Refused
from registry.ports import Principal, Transaction
from registry.service.apply import Applied, apply
from registry.service.check import check
from registry.service.context import Context
from registry.service.propose import Origin, Standing, needs_of, propose, resettled
from registry.service.review_answers import take_answers


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where the proposal of a pull request stands, and which reviews are no consent to it."""

    standing: Standing
    ignored: tuple[Ignored, ...]


def record(
    context: Context,
    compiled: Compiled,
    pull: PullRequest,
    reviews: Iterable[Review],
    principal: Principal,
    behind: tuple[str, ...],
) -> Recorded | None:
    """Propose the head's plan in the name of those behind it, and take its reviews as approvals.

    None when it changes no definition. Each call replaces what reviews approved before, so one that
    was withdrawn no longer counts.
    Raises `Refused` for an event older than one that was seen, a review of another pull request
    (both audited), or a plan that was rejected; `CheckFailed`, as `propose` does.
    """
    found = tuple(reviews)
    _check_fresh(context, compiled.namespace, pull, found, principal)
    checked = check(context, compiled)
    if checked.plan.empty:
        return None
    _check_not_rejected(context, checked.plan, pull)
    earlier = _behind_before(context, compiled.namespace, pull)
    origin = Origin(pull.origin, pull.head, tuple(dict.fromkeys([*behind, *earlier])))
    stands = propose(context, compiled, principal, pull.origin, origin, checked)
    digest = stands.proposal.digest
    with context.store.write() as transaction:
        proposal = replace(transaction.proposal(digest), seen=pull.updated_at)
        ignored = _take(context, transaction, proposal, pull, found, principal)
        ignored += take_answers(context, transaction, proposal, pull, found, principal)
        return Recorded(resettled(context, transaction, proposal), ignored)


def _take(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    pull: PullRequest,
    reviews: tuple[Review, ...],
    principal: Principal,
) -> tuple[Ignored, ...]:
    """Put the approvals that reviews give in place of those that they gave before."""
    good, ignored = decisions(pull, reviews)
    before = {a.source: a for a in transaction.approvals(proposal.digest) if a.source}
    for approval in before.values():
        transaction.drop_approval(proposal.digest, approval.subject)
    spent = _spent(transaction, proposal)
    told = {a.subject for a in transaction.approvals(proposal.digest)}  # by command: that stays
    asked = needs_of(context, transaction, proposal)
    for review in good:
        made = _approval(context, transaction, proposal, asked, spent, review)
        if isinstance(made, Ignored):
            ignored = (*ignored, made)
            continue
        if made.subject in told:
            continue
        transaction.save_approval(proposal.digest, before.get(made.source, made))
        if made.source not in before:
            transaction.append([_approved(context, proposal, made, principal)])
    kept = {a.source for a in transaction.approvals(proposal.digest)}
    transaction.append(
        _withdrawn(context, proposal, approval, principal)
        for source, approval in before.items()
        if source not in kept
    )
    return ignored


def _approval(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    asked: tuple[Need, ...],
    spent: frozenset[str],
    review: Review,
) -> Approval | Ignored:
    """The approval that a review is, or why it is none."""
    login = review.reviewer.login
    subject = context.owners.subject(login)
    if subject is None:
        return Ignored(login, "nobody says who that is: add the login to [people]")
    if review.source in spent:
        return Ignored(login, "it approved another plan of this pull request: review again")
    if proposal.by(subject):
        return Ignored(login, f"{subject} is behind these changes, and who proposes never approves")
    holder = transaction.holder(subject, context.clock()) or Principal(subject, frozenset())
    if holder.bot:
        return Ignored(login, "a bot's approval never counts")
    if not any(need.takes(subject, holder.roles) for need in asked):
        return Ignored(login, f"nothing here takes the approval of {subject}")
    return Approval(subject, holder.roles, False, context.clock(), source=review.source)


def _spent(transaction: Transaction, proposal: Proposal) -> frozenset[str]:
    """The reviews that approved another plan of the same pull request."""
    return frozenset(
        approval.source
        for other in transaction.proposals(proposal.namespace)
        if other.origin == proposal.origin and other.digest != proposal.digest
        for approval in transaction.approvals(other.digest)
        if approval.source
    )


def believe(
    context: Context,
    pull: PullRequest,
    proposed: Proposed,
    namespace: str,
    expected: Mapping[str, str],
    principal: Principal,
) -> Repository | None:
    """The definitions of the head commit, when event and definitions fit together.

    Raises `Refused`, audited, when the event is of another repository, branch or commit, or when
    the definitions are another namespace's.
    """
    found = problem(pull, proposed, expected)
    repository = proposed.repository
    if not found and repository is not None and repository.namespace != namespace:
        found = f"its definitions are of namespace {repository.namespace}, this is {namespace}"
    if found:
        refuse_event(context, namespace, pull, principal, found)
    return repository


def _check_fresh(
    context: Context,
    namespace: str,
    pull: PullRequest,
    reviews: tuple[Review, ...],
    principal: Principal,
) -> None:
    seen = max((p.seen for p in _proposals(context, namespace, pull)), default="")
    strangers = sorted({review.of for review in reviews if review.of != pull.origin})
    if strangers:
        refuse_event(context, namespace, pull, principal, f"reviews of {', '.join(strangers)}")
    if pull.updated_at < seen:
        found = f"it was updated at {pull.updated_at}, the newest event seen is of {seen}"
        refuse_event(context, namespace, pull, principal, found)


def _check_not_rejected(context: Context, planned: Plan, pull: PullRequest) -> None:
    for proposal in _proposals(context, planned.namespace, pull):
        if (proposal.digest, proposal.status) == (planned.digest, "rejected"):
            raise Refused(
                f"the plan of {pull.origin} was rejected", hint="change it, and push a new commit"
            )


def refuse_event(
    context: Context, namespace: str, pull: PullRequest, principal: Principal, found: str
) -> None:
    """Audit that an event was refused, and raise `Refused`."""
    event = Event(
        context.clock(), principal.subject, "pull-request:refused", pull.origin, found, namespace
    )
    with context.store.write() as transaction:
        transaction.append([event])
    raise Refused(f"the event of {pull.origin} is not to be trusted", found)


def _behind_before(context: Context, namespace: str, pull: PullRequest) -> Iterator[str]:
    """Who was behind earlier plans of the pull request, but for the program that recorded them."""
    for proposal in _proposals(context, namespace, pull):
        yield from proposal.behind


def _proposals(context: Context, namespace: str, pull: PullRequest) -> list[Proposal]:
    with context.store.read() as transaction:
        return [p for p in transaction.proposals(namespace) if p.origin == pull.origin]


def merge(context: Context, compiled: Compiled, principal: Principal) -> Applied | None:
    """Apply what a merge brought; None when it changes no definition.

    Raises `Conflict`, audited, when no proposal has exactly the plan of the merged definitions, as
    of a stale merge; else as `apply` does, its refusal audited too.
    """
    planned = check(context, compiled).plan
    if planned.empty:
        return None
    try:
        return apply(context, _proposed(context, planned.digest), compiled, principal)
    except Refused as refused:
        event = Event(
            at=context.clock(),
            actor=principal.subject,
            action="merge:refused",
            subject=planned.digest,
            reason=str(refused),
            namespace=compiled.namespace,
        )
        with context.store.write() as transaction:
            transaction.append([event])
        raise


def _proposed(context: Context, digest: str) -> str:
    with context.store.read() as transaction:
        try:
            return transaction.proposal(digest).digest
        except NotFound:
            raise Conflict(
                f"no proposal has plan {digest}",
                "what was merged is not what was reviewed, or the registry moved on since",
                "open a pull request with these definitions, or propose them again",
            ) from None


def _approved(
    context: Context, proposal: Proposal, approval: Approval, principal: Principal
) -> Event:
    return _event(context, proposal, approval, principal, "proposal:approved")


def _withdrawn(
    context: Context, proposal: Proposal, approval: Approval, principal: Principal
) -> Event:
    return _event(context, proposal, approval, principal, "proposal:withdrawn")


def _event(
    context: Context, proposal: Proposal, approval: Approval, principal: Principal, action: str
) -> Event:
    return Event(
        at=context.clock(),
        actor=principal.subject,
        action=action,
        subject=proposal.digest,
        namespace=proposal.namespace,
        detail={"by": approval.subject, "source": approval.source},
    )
