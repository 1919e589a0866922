"""Plans, findings and proposals as text for a terminal."""

from collections.abc import Iterable, Sequence

from registry.core.changes import Change, Difference, Plan
from registry.core.findings import Finding
from registry.core.policy import Lack, by_givers, lack_text
from registry.core.questions import question_text
from registry.core.similarity.likeness import Likeness
from registry.kernel.canonical import short
from registry.reports.likeness import likeness_lines

MARKS = {"add": "+", "change": "~", "remove": "-", "move": ">"}
SEVERITY_MARKS = {"error": "✗", "warning": "!", "notice": "·"}


def plan_text(plan: Plan) -> str:
    """One line a change, its differences and readers below it."""
    if plan.empty:
        return f"no changes: {plan.namespace} is as the registry has it"
    lines = [line for change in plan.changes for line in _change_lines(change)]
    return "\n".join([*lines, "", summary(plan), f"plan {plan.digest}"])


def summary(plan: Plan) -> str:
    """`3 to add, 1 to change, 0 to remove`, counting features."""
    features = [c for c in plan.changes if c.object == "feature"]
    counts = {
        "add": sum(c.action in ("add", "move") for c in features),
        "change": len({c.name for c in features if c.action == "change"}),
        "remove": sum(c.action == "remove" for c in features),
    }
    said = ", ".join(f"{count} to {action}" for action, count in counts.items())
    return f"features: {said}; {len(plan.changes)} changes in all"


def _change_lines(change: Change) -> Iterable[str]:
    version = f" @{change.version}" if change.version and change.object == "feature" else ""
    yield f"{MARKS[change.action]} {change.object} {change.name}{version} ({change.aspect})"
    if change.action != "add":
        yield from (f"    {difference_text(d)}" for d in change.differences)
    if change.readers:
        yield f"    read by {', '.join(map(str, change.readers))}"


def difference_text(difference: Difference) -> str:
    """`ttl: 3600 s → 60 s`."""
    before = "(none)" if difference.before is None else difference.before
    after = "(none)" if difference.after is None else difference.after
    return f"{difference.facet}: {before} → {after}"


def standing_text(
    status: str, missing: int, lacks: Iterable[Lack], questions: Sequence[Likeness] = ()
) -> str:
    """`checked; approvals missing: 1`, and below it which, who can give it, and open questions."""
    first = f"{status}; approvals missing: {missing}"
    asked = f"; questions open: {len(questions)}" if questions else ""
    lines = [f"  missing: {lack_text(group)}" for group in by_givers(lacks)]
    lines += [f"  question: {question_text(q)}\n    {q.command}" for q in questions]
    return "\n".join([f"{first}{asked}", *lines])


def findings_text(findings: Sequence[Finding]) -> str:
    """Each finding with its place, its readers and what to do."""
    return "\n".join(line for finding in findings for line in _finding_lines(finding))


def _finding_lines(finding: Finding) -> Iterable[str]:
    where = f"{finding.location.file}:{finding.location.line}: " if finding.location.file else ""
    mark = SEVERITY_MARKS[finding.severity]
    likeness = finding.likeness
    said = likeness.headline or finding.message if likeness is not None else finding.message
    yield f"{mark} {finding.severity} [{finding.rule}] {where}{said}{_accepted(finding)}"
    if likeness is not None:
        yield from (f"  {line}" for line in likeness_lines(likeness))
    if finding.hits:
        yield f"    reaches {', '.join(finding.hits)}"
    if finding.hint and finding.severity != "notice" and not finding.asks:
        yield f"    → {finding.hint}"


def _accepted(finding: Finding) -> str:
    """What a waiver adds to the message: it stands at its end, in brackets."""
    waived = finding.message.rpartition(" (waived by ")
    return f" (waived by {waived[2]}" if finding.likeness is not None and waived[1] else ""


def counts_text(findings: Sequence[Finding]) -> str:
    """`1 error, 2 warnings, 0 notices`."""
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "notice")}
    return ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())


def short_digest(digest: str) -> str:
    return short(digest)
