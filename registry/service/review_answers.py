"""Answers that reviewers write in their reviews: each is taken once, as its reviewer's word."""

from collections.abc import Iterable, Iterator

from registry.core.proposals import Proposal
from registry.core.pull_requests import Ignored, PullRequest, Review, answers_in, unfit
from registry.core.questions import check_answerer
from registry.core.similarity.likeness import AnswerKind, Keys, Likeness
from registry.kernel.errors import Forbidden, Invalid
from registry.ports import Principal, Transaction
from registry.service.answers import asked_in, find, keep, made_of, named, speakers_of
from registry.service.context import Context
from registry.service.propose import needs_of

Line = tuple[str, str, AnswerKind, str]


def take_answers(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    pull: PullRequest,
    reviews: Iterable[Review],
    principal: Principal,
) -> tuple[Ignored, ...]:
    """Keep what reviews of the head answer; gives those that are no answer, and why.

    Only the latest line about a pair counts. A line that was taken before is left alone, so that
    what was answered since stays.
    """
    ignored: list[Ignored] = []
    asked = asked_in(context, transaction, proposal)
    for review, line in _lines(reviews):
        try:
            likeness = _question(asked, line, proposal.namespace)
            if (review.source, likeness.keys) in _taken(transaction, likeness):
                continue
            who = _reviewer(context, transaction, pull, review)
            _check(context, transaction, proposal, likeness, who)
        except (Forbidden, Invalid) as refused:
            ignored.append(Ignored(review.reviewer.login, f"{line[0][:80]}: {_why(refused)}"))
            continue
        made = made_of(context, likeness, line[2], line[3], who.subject, review.source)
        keep(context, transaction, made, principal, proposal)
    return tuple(ignored)


def _lines(reviews: Iterable[Review]) -> Iterator[tuple[Review, Line]]:
    for review in sorted(reviews, key=lambda r: (r.at, r.id)):
        for line in answers_in(review):
            yield review, line


def _question(asked: list[Likeness], line: Line, namespace: str) -> Likeness:
    found = find(asked, named(line[0], namespace), named(line[1], namespace))
    if found is None:
        raise Invalid(f"nobody asked about {line[0][:80]} and {line[1][:80]}")
    return found


def _reviewer(
    context: Context, transaction: Transaction, pull: PullRequest, review: Review
) -> Principal:
    """Who wrote the review; raises `Forbidden` where it is no word of a known reviewer's."""
    why = unfit(pull, review)
    if why:
        raise Forbidden("it is no answer", why)
    subject = context.owners.subject(review.reviewer.login)
    if subject is None:
        raise Forbidden("it is no answer", "nobody says who that is: add the login to [people]")
    holder = transaction.holder(subject, context.clock())
    return holder or Principal(subject, frozenset())


def _check(
    context: Context,
    transaction: Transaction,
    proposal: Proposal,
    likeness: Likeness,
    who: Principal,
) -> None:
    needs = needs_of(context, transaction, proposal)
    speakers = speakers_of(context, likeness)
    check_answerer(likeness, who.subject, who.roles, who.bot, proposal.proposers, needs, speakers)


def _taken(transaction: Transaction, likeness: Likeness) -> set[tuple[str, Keys]]:
    """(review, pair) of the lines that were taken before."""
    subject = likeness.feature.partition("/")[2]
    details = [chained.event.detail or {} for chained in transaction.events(subject=subject)]
    return {
        (str(detail.get("source", "")), (detail["keys"][0], detail["keys"][1]))
        for detail in details
        if detail.get("answer") and len(detail.get("keys", ())) == 2
    }


def _why(refused: Forbidden | Invalid) -> str:
    return refused.found or refused.asked
