"""The comment on a pull request: enough to decide, the rest folded. Pure: values in, Markdown out.

All texts in it come from definitions that nobody has reviewed, so each is escaped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from registry.core.changes import Change, Plan
from registry.core.findings import Finding
from registry.core.policy import ROLE, Approval, Lack, by_givers
from registry.core.pull_requests import Ignored
from registry.core.value_diff import ValueDiff, bars
from registry.kernel.canonical import short
from registry.kernel.clock import format_instant
from registry.reports.likeness import cut, likeness_markdown
from registry.reports.markup import code, plain
from registry.reports.sentences import sentences
from registry.reports.text import difference_text

MARKER = "<!-- fieldhouse: features -->"
MOST_SENTENCES = 8
MOST_LINES = 200
MOST_CHARACTERS = 60_000  # GitHub takes 65,536
ICONS = {"error": "🛑", "warning": "⚠️", "notice": "ℹ️"}


@dataclass(frozen=True, slots=True)
class Comment:
    """What there is to say of one head commit. `plan` None: its definitions do not load."""

    commit: str
    plan: Plan | None
    findings: tuple[Finding, ...] = ()
    lacks: tuple[Lack, ...] = ()
    approvals: tuple[Approval, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    values: tuple[ValueDiff, ...] = ()
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def comment_markdown(comment: Comment) -> str:
    """The whole comment. Its first line is the marker by which the next one finds it."""
    parts = [
        MARKER,
        _title(comment),
        _missing(comment),
        _changes(comment),
        _affected(comment),
        *_folded(comment),
        _footer(comment),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text if len(text) <= MOST_CHARACTERS else _shortened(comment)


def _shortened(comment: Comment) -> str:
    """The same without what is folded: a forge takes no longer one."""
    note = "The details are too long for a comment: run `fieldhouse plan`"
    parts = [MARKER, _title(comment), _missing(comment), _changes(comment), _affected(comment)]
    return "\n\n".join([*(part for part in parts if part), note, _footer(comment)]) + "\n"


def _errors(comment: Comment) -> list[Finding]:
    return [f for f in comment.findings if f.severity == "error"]


def _title(comment: Comment) -> str:
    if comment.plan is None:
        return "### Features: these definitions do not load"
    if comment.plan.empty:
        return "### Features: nothing changes"
    if _errors(comment):
        return "### Features: refused as they stand"
    if any(finding.asks for finding in comment.findings):
        return "### Features: a question waits for its answer"
    return "### Features: " + ("consent is missing" if comment.lacks else "ready to merge")


def _missing(comment: Comment) -> str:
    """What stands between this commit and a merge, each a box to tick."""
    lines = [f"- {ICONS['error']} {_finding(f)}" for f in _errors(comment)]
    lines += [f"- [ ] {_question(f)}" for f in comment.findings if f.asks]
    lines += [f"- [ ] {_lack(group)}" for group in by_givers(comment.lacks)]
    lines += [f"- [x] approved by {code(a.subject)}" for a in comment.approvals]
    lines += [
        f"- a review of {code(i.login)} does not count: {plain(i.why)}" for i in comment.ignored
    ]
    return "\n".join(["**Before it can merge**", "", *_capped(lines, 20)]) if lines else ""


def _question(finding: Finding) -> str:
    """A question that a reviewer answers; its evidence is folded below."""
    likeness = finding.likeness
    assert likeness is not None, "only a look-alike asks"
    also = f" The answer was {cut(str(likeness.answer))}." if likeness.answer is not None else ""
    return f"an answer, by a reviewer: {plain(cut(finding.message))}.{plain(also)}"


def _lack(group: tuple[Lack, ...]) -> str:
    """One approval that is missing: who can give it, and as whom it is asked for."""
    needs = [lack.need for lack in group]
    count = max(lack.count for lack in group)
    said = "an approval" if count == 1 else f"{count} approvals"
    givers = " or ".join(map(code, needs[0].subjects)) or f"anybody with role {code(ROLE)}"
    whose = list(dict.fromkeys(need.who for need in needs))
    more = f" and {len(whose) - 3} more" if len(whose) > 3 else ""
    return f"{said} of {givers}, as {plain(', '.join(whose[:3]))}{more}"


def _changes(comment: Comment) -> str:
    if comment.plan is None or comment.plan.empty:
        return ""
    said = sentences(comment.plan)
    more = len(said) - MOST_SENTENCES
    rest = [f"- and {more} more, below"] if more > 0 else []
    return "\n".join(["**What changes**", "", *(f"- {s}" for s in said[:MOST_SENTENCES]), *rest])


def _affected(comment: Comment) -> str:
    """Each reader of what changes, its owner, and the input of it that moves most."""
    if comment.plan is None:
        return ""
    reading: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for change in comment.plan.changes:
        for reader in change.readers if change.aspect != "text" else ():
            reading.setdefault(str(reader), []).append(change.name.split("@")[0])
            owners[str(reader)] = reader.owner
    lines = [
        f"- {plain(name)}{_owned(owners[name])} reads {_list(reads)}{_most(reads, comment.values)}"
        for name, reads in sorted(reading.items())
    ]
    return "\n".join(["**Who is affected**", "", *_capped(lines, 10)]) if lines else ""


def _owned(owner: str) -> str:
    return f" ({code(owner)})" if owner else ""


def _list(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    return ", ".join(map(code, unique[:3])) + more


def _most(reads: Sequence[str], values: Sequence[ValueDiff]) -> str:
    moved = sorted((v for v in values if v.feature in reads), key=lambda v: -v.shift)
    if not moved or not moved[0].changed:
        return ""
    first = moved[0]
    if len(moved) == 1:
        return f"; its values shift by {first.shift:.2f} of 1"
    return f"; of these {code(first.feature)} shifts most ({first.shift:.2f} of 1)"


def _folded(comment: Comment) -> Iterator[str]:
    if comment.values:
        moved = max(v.share_changed for v in comment.values)
        yield _fold(
            f"Values before and after: up to {moved:.0%} change on a sample", list(_values(comment))
        )
    if comment.broken:
        lines = [f"- {plain(sentence)}" for sentence in comment.broken]
        yield _fold(f"{_count(len(lines), 'expectation')} not met by a sample", lines)
    alike = [f for f in comment.findings if f.likeness is not None]
    if alike:
        lines = [line for finding in alike for line in _alike(finding)]
        yield _fold(f"{_count(len(alike), 'feature')} that exist already, or nearly", lines)
    others = [f for f in comment.findings if f.severity != "error" and f.likeness is None]
    if others:
        lines = [f"- {ICONS[f.severity]} {_finding(f)}" for f in others]
        yield _fold(f"{_count(len(lines), 'finding')} to look at", lines)
    if comment.plan is not None and not comment.plan.empty:
        lines = [line for change in comment.plan.changes for line in _change(change)]
        yield _fold(_count(len(comment.plan.changes), "change"), lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _fold(summary: str, lines: Sequence[str]) -> str:
    body = "\n".join(_capped(list(lines)))
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _capped(lines: list[str], most: int = MOST_LINES) -> list[str]:
    more = len(lines) - most
    return lines if more <= 0 else [*lines[:most], f"- and {more} more"]


def _values(comment: Comment) -> Iterator[str]:
    yield "A shift of 0 is the same distribution, of 1 one that has nothing in common."
    yield ""
    for diff in comment.values:
        yield (
            f"{code(diff.feature)}: {diff.changed} of {diff.rows} values change "
            f"({diff.share_changed:.0%}), shift {diff.shift:.2f}, "
            f"nulls {diff.old_nulls} → {diff.new_nulls}"
        )
        yield ""
        if diff.buckets:
            low, high = diff.buckets[0][0], diff.buckets[-1][0]
            for name, column in (("before", 1), ("after ", 2)):
                counts = tuple(int(bucket[column]) for bucket in diff.buckets)
                yield f"    {name} {_bare(low)} {bars(counts)} {_bare(high)}"
            yield ""
        if diff.examples:
            yield "| key | at | before | after |\n| --- | --- | ---: | ---: |"
            for pair in diff.examples:
                cells = (pair.key, format_instant(pair.at), pair.old, pair.new)
                yield f"| {' | '.join(map(plain, cells))} |"
            yield ""


def _bare(text: str) -> str:
    return " ".join(text.split())[:20]


def _finding(finding: Finding) -> str:
    place = finding.location
    where = f" ({code(f'{place.file}:{place.line}')})" if place.file else ""
    reaches = f" Reaches {', '.join(map(plain, finding.hits))}." if finding.hits else ""
    hint = f" *{plain(finding.hint)}.*" if finding.hint else ""
    message = finding.message if finding.likeness is None else finding.likeness.headline
    return f"**{plain(finding.rule)}**{where}: {plain(message)}.{reaches}{hint}"


def _alike(finding: Finding) -> Iterator[str]:
    """A look-alike with all its evidence."""
    likeness = finding.likeness
    assert likeness is not None
    yield f"#### {plain(likeness.headline)}"
    yield ""
    yield from likeness_markdown(likeness)
    yield ""


def _change(change: Change) -> Iterator[str]:
    yield f"- {change.action} {change.object} {code(change.name)} ({change.aspect})"
    if change.action != "add":
        yield from (f"  - {plain(difference_text(d))}" for d in change.differences)


def _footer(comment: Comment) -> str:
    notes = [f"{plain(note)}." for note in comment.notes]
    if comment.plan is not None and not comment.plan.empty:
        notes.append(
            f"Plan {code(short(comment.plan.digest))} of commit {code(comment.commit[:12])}: "
            "approvals are for exactly this plan, and whoever proposed it gives none."
        )
    return f"<sub>{' '.join(notes)}</sub>" if notes else ""
