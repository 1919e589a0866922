"""Questions about features that look alike: what a check asks, what is open, and answering it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from registry.core.compiled import Compiled
from registry.core.duplication import ProposedFeature, new_feature
from registry.core.findings import Finding
from registry.core.questions import open_questions, resettled
from registry.core.rules.engine import asking_severities
from registry.core.similarity.likeness import Likeness
from registry.ports import Transaction
from registry.service.check import Checked
from registry.service.context import Context

UNREAD = "values-not-compared"


def findings_now(
    context: Context, transaction: Transaction, findings: Sequence[Finding]
) -> tuple[Finding, ...]:
    """Findings that were kept, under today's answers and severities, without those about what a
    proposal would have added that has come to nothing since."""
    kept = [f for f in findings if f.likeness is None or not _gone(transaction, f.likeness)]
    pairs = [f.likeness.keys for f in kept if f.likeness is not None]
    answers = transaction.answers(pairs) if pairs else {}
    return resettled(kept, answers, asking_severities(context.severities))


def _gone(transaction: Transaction, likeness: Likeness) -> bool:
    if not likeness.proposal:
        return False
    return transaction.proposal(likeness.proposal).status in ("rejected", "superseded")


def questions_of(
    context: Context, transaction: Transaction, findings: Sequence[Finding]
) -> tuple[Likeness, ...]:
    """Which of the questions that were asked nobody has answered."""
    return open_questions(findings_now(context, transaction, findings))


def still_asked(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of a new check of the same plan, and questions that only an earlier one asked:
    nobody is rid of one by proposing again from where values cannot be read."""
    asked = {f.likeness.keys for f in now if f.likeness is not None}
    unread = {f.subject for f in now if f.rule == UNREAD}
    kept = [f for f in before if f.likeness is not None and f.likeness.keys not in asked]
    kept += [f for f in before if f.rule == UNREAD and f.subject not in unread]
    return (*now, *kept)


def proposed_features(
    compiled: Compiled, checked: Checked, proposer: str
) -> Iterator[ProposedFeature]:
    """What a plan adds, with its sketches, for others to be compared with while it is open."""
    sketches = {sketch.ref: sketch for sketch in checked.sketches}
    for change in checked.plan.changes:
        new = change.action in ("add", "change") and change.aspect == "meaning"
        if change.object == "feature" and new:
            known = new_feature(compiled.namespace, compiled.features[change.name])
            ref = f"{change.name}@{change.version}"
            known = replace(known, ref=f"{compiled.namespace}/{ref}")
            yield ProposedFeature(checked.plan.digest, proposer, known, sketches.get(ref))
