"""Answering a question about two features that look alike: who may, what is kept, what follows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from registry.core.audit import Event
from registry.core.proposals import Proposal
from registry.core.questions import check_answerer
from registry.core.similarity.likeness import Answer, AnswerKind, Likeness
from registry.core.similarity.verdict import Judgement, judge_pair
from registry.core.state import FeatureRecord
from registry.kernel.errors import Invalid, NotFound, Refused
from registry.kernel.refs import FeatureRef, parse_ref
from registry.ports import Principal, Transaction
from registry.service.context import Context
from registry.service.propose import needs_of, resettled
from registry.service.questions import findings_now

MAX_REASON = 2000
MAX_NAME = 450


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the open proposal that asks it; None when both features are registered."""

    likeness: Likeness
    proposal: Proposal | None = None


def answer(
    context: Context,
    namespace: str,
    names: tuple[str, str],
    kind: AnswerKind,
    reason: str,
    principal: Principal,
) -> Answer:
    """Record what a reviewer says of two features, named in either order, and see whether that is
    all that an open proposal waited for. `namespace` is that of names without one.

    Raises `Invalid` (names, an empty or endless reason), `NotFound` (no such feature), `Refused`
    (nobody asked about these two), `Forbidden` (who proposed it, a bot, no reviewer).
    """
    said = checked_reason(reason)
    one, other = (named(name, namespace) for name in names)
    with context.store.write() as transaction:
        asked = _asked(context, transaction, one, other)
        _check(context, transaction, asked, principal)
        made = made_of(context, asked.likeness, kind, said, principal.subject)
        keep(context, transaction, made, principal, asked.proposal)
        return made


def keep(
    context: Context,
    transaction: Transaction,
    made: Answer,
    principal: Principal,
    proposal: Proposal | None,
) -> None:
    """Save an answer with its audit event, and settle the proposals that asked."""
    transaction.save_answer(made)
    detail = {
        "other": made.other,
        "answer": made.kind,
        "by": made.subject,
        "keys": list(made.keys),
        "source": made.source,
        "proposal": proposal.digest if proposal is not None else "",
    }
    namespace, _, ref = made.feature.partition("/")
    transaction.append(
        [
            Event(
                context.clock(), principal.subject, "duplicate:answered", ref, made.reason,
                namespace, detail,
            )
        ]
    )  # fmt: skip
    for other in transaction.pending(namespace):
        if any(q.keys == made.keys for q in _questions(context, transaction, other)):
            resettled(context, transaction, other)


def asked_in(context: Context, transaction: Transaction, proposal: Proposal) -> list[Likeness]:
    """Every question of a proposal, answered or not."""
    return list(_questions(context, transaction, proposal))


def find(asked: list[Likeness], one: FeatureRef, other: FeatureRef) -> Likeness | None:
    """The question about these two, named in either order, versions left out or not."""
    for likeness in asked:
        names = parse_ref(likeness.feature), parse_ref(likeness.other)
        if (_fits(one, names[0]) and _fits(other, names[1])) or (
            _fits(other, names[0]) and _fits(one, names[1])
        ):
            return likeness
    return None


def _fits(given: FeatureRef, asked: FeatureRef) -> bool:
    same = (given.namespace, given.view, given.feature) == (
        asked.namespace, asked.view, asked.feature,
    )  # fmt: skip
    return same and (None in (given.version, asked.version) or given.version == asked.version)


def _questions(
    context: Context, transaction: Transaction, proposal: Proposal
) -> Iterator[Likeness]:
    for finding in findings_now(context, transaction, proposal.findings):
        likeness = finding.likeness
        if likeness is not None and likeness.verdict == "near-duplicate":
            yield likeness


def _asked(context: Context, transaction: Transaction, one: FeatureRef, other: FeatureRef) -> Asked:
    for name in sorted({one.namespace or "", other.namespace or ""}):
        for proposal in transaction.pending(name):
            found = find(asked_in(context, transaction, proposal), one, other)
            if found is not None:
                return Asked(found, proposal)
    return Asked(_registered(transaction, one, other))


def _registered(transaction: Transaction, one: FeatureRef, other: FeatureRef) -> Likeness:
    """The question that `fieldhouse duplicates` asks of two registered features."""
    new, old = (_record(transaction, ref) for ref in (one, other))
    verdict = _judged(transaction, new, old)
    if new.name == old.name or verdict.verdict not in ("duplicate", "near-duplicate"):
        raise Refused(
            f"nobody asked about {one} and {other}",
            "no open proposal has such a question, and what is kept of their values is not alike",
            "fieldhouse proposals show, and fieldhouse duplicates, say what is asked",
        )
    keys = (new.record.definition_key, old.record.definition_key)
    owner = old.record.facts.owner or ""
    return Likeness(new.name, old.name, keys, "near-duplicate", verdict.why, owner=owner)


@dataclass(frozen=True, slots=True)
class _Registered:
    """A live version of a registered feature; `name` is its whole reference."""

    name: str
    record: FeatureRecord


def _judged(transaction: Transaction, new: _Registered, old: _Registered) -> Judgement:
    """What the definitions of both and the sketches that are kept say."""
    from registry.core.similarity.values import compare  # numpy, where nobody is asked

    kept = {
        f"{namespace}/{sketch.ref}": sketch
        for namespace, sketch in transaction.sketches(_entity(old.record))
    }
    both = kept.get(old.name), kept.get(new.name)
    values = compare(both[0], both[1]) if both[0] is not None and both[1] is not None else None
    same = new.record.definition_key == old.record.definition_key
    return judge_pair(same_definition=same, same_shape=False, values=values)


def _record(transaction: Transaction, ref: FeatureRef) -> _Registered:
    """The newest live version, or the one that is named; raises `NotFound`."""
    namespace = ref.namespace or ""
    live = [r for r in transaction.state(namespace).features.values() if r.live]
    found = [r for r in live if (r.view, r.name) == (ref.view, ref.feature)]
    found = [r for r in found if ref.version in (None, r.version)]
    if not found:
        known = {f"{namespace}/{r.ref}" for r in live}
        raise NotFound("feature", str(ref), known, "fieldhouse proposals show says what is asked")
    newest = max(found, key=lambda record: record.version)
    return _Registered(f"{namespace}/{newest.ref}", newest)


def _entity(record: FeatureRecord) -> str:
    keys = dict(record.facets).get("join keys", "").split(", ")
    return ", ".join(sorted(key.split(" ")[0] for key in keys))


def _check(context: Context, transaction: Transaction, asked: Asked, principal: Principal) -> None:
    proposal, likeness = asked.proposal, asked.likeness
    needs = () if proposal is None else needs_of(context, transaction, proposal)
    check_answerer(
        likeness,
        principal.subject,
        principal.roles,
        principal.bot,
        () if proposal is None else proposal.proposers,
        needs,
        speakers_of(context, likeness),
    )


def speakers_of(context: Context, likeness: Likeness) -> tuple[str, ...]:
    """Who may speak for the owner of the feature that exists."""
    return context.owners.teams.get(likeness.owner, (likeness.owner,))


def made_of(
    context: Context,
    likeness: Likeness,
    kind: AnswerKind,
    reason: str,
    subject: str,
    source: str = "",
) -> Answer:
    """The answer to a question; `source` names the review that it comes from."""
    return Answer(
        kind, checked_reason(reason), subject, context.clock(), likeness.feature, likeness.other,
        likeness.keys, source,
    )  # fmt: skip


def named(name: str, namespace: str) -> FeatureRef:
    """A reference with its namespace; raises `Invalid` for what is none."""
    if len(name) > MAX_NAME:
        raise Invalid(
            f"a name of {len(name)} characters is no feature's", f"at most {MAX_NAME}: view:feature"
        )
    ref = parse_ref(name)
    return ref if ref.namespace else replace(ref, namespace=namespace)


def checked_reason(reason: str) -> str:
    """A reason in one line; raises `Invalid` for none, or an endless one."""
    said = " ".join(reason.split())
    if not said or len(said) > MAX_REASON:
        raise Invalid(
            f"the reason has {len(said)} characters",
            f"say in 1 to {MAX_REASON} why: the next person to see both reads it",
        )
    return said
