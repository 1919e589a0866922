"""Findings that ask: what an answer makes of one, which are open, and who may answer. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from registry.core.findings import Finding, Severity
from registry.core.owners import same_subject
from registry.core.policy import ROLE, Need
from registry.core.similarity.likeness import Answer, Keys, Likeness, pair_of
from registry.kernel.errors import Forbidden

ASK = "a reviewer answers: reuse it, variant of it, supersedes it, or distinct from it"


def settled(finding: Finding, answer: Answer | None, severity: Severity) -> Finding:
    """A question under its answer, if it has one; `severity` is what the rule says without one.

    `reuse` leaves it open: the feature is still there. The other answers make it a notice.
    """
    likeness = finding.likeness
    if likeness is None or likeness.verdict != "near-duplicate":
        return finding
    asked = replace(finding, likeness=replace(likeness, answer=answer), severity=severity, hint=ASK)
    if answer is None:
        return asked
    if answer.kind == "reuse":
        return replace(asked, hint=f"take {finding.subject} out and use {likeness.other}")
    follow = f"deprecate {likeness.other}" if answer.kind == "supersedes" else ""
    return replace(asked, severity="notice", hint=follow)


def resettled(
    findings: Iterable[Finding], answers: Mapping[Keys, Answer], severities: Mapping[str, Severity]
) -> tuple[Finding, ...]:
    """Findings that were kept, under the answers of today. `severities` are by rule."""
    return tuple(
        f if f.likeness is None or f.rule not in severities
        else settled(f, answers.get(pair_of(*f.likeness.keys)), severities[f.rule])
        for f in findings
    )  # fmt: skip


def open_questions(findings: Iterable[Finding]) -> tuple[Likeness, ...]:
    """What a reviewer has yet to answer."""
    return tuple(f.likeness for f in findings if f.asks and f.likeness is not None)


def question_text(likeness: Likeness) -> str:
    """An open question in a line."""
    if likeness.answer is not None:
        return f"{likeness.feature}: {likeness.answer}, and it is still there"
    return f"what is {likeness.feature} to {likeness.other} ({likeness.state})?"


def check_answerer(
    likeness: Likeness,
    subject: str,
    roles: frozenset[str],
    bot: bool,
    proposers: Iterable[str],
    needs: Iterable[Need],
    speakers: Iterable[str],
) -> None:
    """Raise `Forbidden` unless this is somebody who reviews: whose approval one of the proposal's
    `needs` takes, a steward, or one of the `speakers` for the other feature's owner.

    Nobody answers for what they put forward, and no bot does.
    """
    pair = f"{likeness.feature} and {likeness.other}"
    if any(same_subject(subject, proposer) for proposer in proposers):
        raise Forbidden(f"{subject} may not answer about {pair}", "who proposes never answers")
    if bot:
        raise Forbidden(f"{subject} may not answer about {pair}", "a bot's answer never counts")
    asked = any(need.takes(subject, roles) for need in needs)
    if ROLE in roles or asked or any(same_subject(subject, name) for name in speakers):
        return
    owner = f", {likeness.owner}, who owns {likeness.other}," if likeness.owner else ""
    raise Forbidden(
        f"{subject} may not answer about {pair}",
        f"has roles: {', '.join(sorted(roles)) or 'none'}",
        f"a steward{owner} or whoever approves the proposal can",
    )
