"""Plans and findings as Markdown for a pull request: the gist first, details folded."""

from collections.abc import Iterable, Sequence

from registry.core.changes import Change, Plan
from registry.core.findings import Finding
from registry.reports.likeness import likeness_markdown
from registry.reports.markup import plain
from registry.reports.text import MARKS, counts_text, difference_text, summary

ICONS = {"error": "🛑", "warning": "⚠️", "notice": "ℹ️"}


def report_markdown(plan: Plan, findings: Sequence[Finding]) -> str:
    """The comment's body: verdict, findings, then the plan folded."""
    blocked = any(f.severity == "error" for f in findings)
    verdict = "refused" if blocked else "no objection" if plan.changes else "no changes"
    lines = [f"### Feature plan: {verdict}", "", f"{summary(plan)}. {counts_text(findings)}.", ""]
    lines += [line for finding in findings for line in _finding_lines(finding)]
    lines += ["", "<details><summary>All changes</summary>", ""]
    lines += [line for change in plan.changes for line in _change_lines(change)]
    return "\n".join([*lines, "", "</details>", "", f"Plan `{plan.digest}`", ""])


def _finding_lines(finding: Finding) -> Iterable[str]:
    yield _finding_line(finding)
    if finding.likeness is not None:
        yield ""
        yield "  <details><summary>evidence</summary>"
        yield ""
        yield from (f"  {line}" for line in likeness_markdown(finding.likeness))
        yield ""
        yield "  </details>"
        yield ""


def _finding_line(finding: Finding) -> str:
    where = f" ({finding.location.file}:{finding.location.line})" if finding.location.file else ""
    reaches = f" Reaches {', '.join(finding.hits)}." if finding.hits else ""
    hint = f" *{plain(finding.hint)}.*" if finding.hint else ""
    likeness = finding.likeness
    said = plain(likeness.headline if likeness is not None else finding.message)
    return f"- {ICONS[finding.severity]} **{finding.rule}**{where}: {said}.{reaches}{hint}"


def _change_lines(change: Change) -> Iterable[str]:
    yield f"- `{MARKS[change.action]}` {change.object} **{change.name}** ({change.aspect})"
    if change.action != "add":
        yield from (f"  - {plain(difference_text(d))}" for d in change.differences)
    if change.readers:
        yield f"  - read by {', '.join(map(str, change.readers))}"
