"""Who must consent to which change. Pure.

A policy line says for a kind of change whose approvals it takes; `needs` makes of a plan one need
for each kind and each one who is asked. Proposers never count, nor do bots (decision 4).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from registry.core.answerable import Answerable
from registry.core.changes import Change, Plan
from registry.core.owners import same_subject
from registry.kernel.errors import Forbidden, Invalid

ROLE = "steward"
ASKED = ("steward", "domain steward", "owner", "reader owners")


@dataclass(frozen=True, slots=True)
class Ask:
    """`count` approvals of `who`: one of `ASKED`."""

    who: str
    count: int = 1


Policy = Mapping[str, tuple[Ask, ...]]
DEFAULT_POLICY: Policy = {
    "text": (),
    "terms": (Ask("domain steward"),),
    "new feature": (Ask("domain steward"),),
    "draft": (Ask("domain steward"),),
    "meaning": (Ask("owner"), Ask("reader owners")),
    "state": (Ask("domain steward"),),
    "removal": (Ask("domain steward"), Ask("reader owners")),
    "service": (Ask("steward"),),
    "other": (Ask("domain steward"),),
}
KINDS = tuple(DEFAULT_POLICY)
_ASK = re.compile(rf"(?:([1-9]\d*) )?({'|'.join(ASKED)})")
_TEXTS = frozenset({"description", "unit", "reason"})


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's consent to one plan. `source` names the review that it was, when it was one."""

    subject: str
    roles: frozenset[str]
    bot: bool
    at: datetime
    comment: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """`count` approvals of `who` for changes of one kind. `subjects` can give them; when nobody is
    named, whoever has the role steward can. `about` names what changes."""

    kind: str
    who: str
    count: int
    subjects: tuple[str, ...]
    about: tuple[str, ...]

    def takes(self, subject: str, roles: frozenset[str]) -> bool:
        """Whether that subject's approval is one that this need asks for."""
        if self.subjects:
            return any(same_subject(subject, named) for named in self.subjects)
        return ROLE in roles

    def __str__(self) -> str:
        giver = ", ".join(self.subjects) or f"anybody with role {ROLE}"
        said = self.who if giver == self.who else f"{self.who} ({giver})"
        return f"{self.count} of {said} for {self.kind}: {_some(self.about)}"


def kind_of(change: Change, state: str) -> str:
    """The policy's word for a change to something that is in `state`."""
    if change.object == "service":
        return "service"
    if change.object != "feature":
        return "other"
    if change.aspect == "text":
        facets = {difference.facet for difference in change.differences}
        return "text" if facets <= _TEXTS else "terms"
    if change.action in ("add", "move"):
        return "new feature"
    if change.action == "remove":
        return "removal"
    if change.aspect == "state":
        return "state"
    return "draft" if state == "draft" else "meaning"


def read_policy(table: Mapping[str, Any]) -> Policy:
    """`[policy]` of fieldhouse.toml; kinds that it does not name keep their default.

    A line is a number (of stewards) or a list of texts such as "owner" and "2 domain steward".
    """
    policy = dict(DEFAULT_POLICY)
    for name, line in table.items():
        kind = name.replace("_", " ")
        asks = _asks(line)
        if kind not in policy or asks is None:
            raise Invalid(
                f"[policy] {name} = {line!r} is not a policy line",
                f"known: {', '.join(k.replace(' ', '_') for k in KINDS)}",
                f"give a number, or a list of {', '.join(ASKED)}, each with a number before it",
            )
        policy[kind] = asks
    return policy


def _asks(line: Any) -> tuple[Ask, ...] | None:
    if type(line) is int and line >= 0:
        return (Ask("steward", line),) if line else ()
    if not isinstance(line, list):
        return None
    found = [_ASK.fullmatch(entry) if isinstance(entry, str) else None for entry in line]
    return None if None in found else tuple(Ask(m[2], int(m[1] or 1)) for m in found if m)


def needs(
    plan: Plan, policy: Policy, answer: Answerable, proposers: Iterable[str] = ()
) -> tuple[Need, ...]:
    """What the plan takes: one need for each kind of change and each one who is asked."""
    asked: dict[tuple[str, str], Need] = {}
    barred = tuple(proposers)
    for change in plan.changes:
        kind = kind_of(change, answer.state(change))
        for need in _of(change, kind, policy[kind], answer, barred):
            known = asked.get((kind, need.who))
            about = (*known.about, *need.about) if known else need.about
            asked[kind, need.who] = replace(need, about=tuple(dict.fromkeys(about)))
    return tuple(asked[key] for key in sorted(asked))


def _of(
    change: Change, kind: str, asks: Iterable[Ask], answer: Answerable, barred: tuple[str, ...]
) -> Iterator[Need]:
    for ask in asks:
        for who, subjects in _asked(ask.who, change, answer):
            able = _able(subjects, barred)
            if able or ask.who == "steward":
                yield Need(kind, who, ask.count, able, (change.name,))
            else:
                yield _stewards(change, kind, ask.count, answer, barred, who)


def _asked(who: str, change: Change, answer: Answerable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(whom to ask, the subjects who can answer) for one word of the policy."""
    if who == "owner":
        owner = answer.owner(change)
        yield f"owner {owner or 'of it'}", answer.speakers(owner)
    elif who == "reader owners":
        readers = [r for r in change.readers if r.kind != "caller"]  # a service speaks for those
        for owner in sorted({reader.owner for reader in readers}):
            reading = _some(tuple(str(r) for r in readers if r.owner == owner))
            yield f"the owner of {reading}", answer.speakers(owner)
    elif who == "steward":
        yield "a steward", ()
    else:
        yield "", ()


def _stewards(
    change: Change,
    kind: str,
    count: int,
    answer: Answerable,
    barred: tuple[str, ...],
    instead_of: str,
) -> Need:
    """The stewards of the domain, who also speak where nobody else can."""
    domain = answer.domain(change)
    able = _able(answer.owners.stewards(domain), barred)
    who = f"a steward of {domain}" if domain else "a steward"
    said = f"{who}, as nobody else speaks for {instead_of}" if instead_of else who
    return Need(kind, said, count, able, (change.name,))


def _able(subjects: tuple[str, ...], barred: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(subject for subject in subjects if not _among(subject, barred))


@dataclass(frozen=True, slots=True)
class Lack:
    """A need and how many of its approvals are still missing."""

    need: Need
    count: int

    def __str__(self) -> str:
        return str(replace(self.need, count=self.count))


def lacking(
    asked: Iterable[Need], proposers: Iterable[str], approvals: Iterable[Approval]
) -> tuple[Lack, ...]:
    """What is still missing. One approval serves every need that it is asked by."""
    barred = tuple(proposers)
    good = [a for a in approvals if not a.bot and not _among(a.subject, barred)]
    found = []
    for need in asked:
        given = {a.subject.strip().casefold() for a in good if need.takes(a.subject, a.roles)}
        if len(given) < need.count:
            found.append(Lack(need, need.count - len(given)))
    return tuple(found)


def by_givers(lacks: Iterable[Lack]) -> list[tuple[Lack, ...]]:
    """What is missing, together where the same people can give it: one approval serves all."""
    found: dict[tuple[str, ...], list[Lack]] = {}
    for lack in lacks:
        found.setdefault(lack.need.subjects, []).append(lack)
    return [tuple(group) for group in found.values()]


def lack_text(group: tuple[Lack, ...]) -> str:
    """Who can give what is missing, as whom, and for what: a line."""
    needs_of_group = [lack.need for lack in group]
    givers = ", ".join(needs_of_group[0].subjects) or f"anybody with role {ROLE}"
    whose = _some(tuple(dict.fromkeys(need.who for need in needs_of_group)))
    kinds = ", ".join(dict.fromkeys(need.kind for need in needs_of_group))
    about = _some(tuple(dict.fromkeys(name for need in needs_of_group for name in need.about)))
    return f"{max(lack.count for lack in group)} of {givers} (as {whose}) for {kinds}: {about}"


def check_approver(
    subject: str,
    roles: frozenset[str],
    bot: bool,
    proposers: Iterable[str],
    asked: Iterable[Need],
) -> None:
    """Raise `Forbidden` when this approval would not count, and say who could give it."""
    wanted = tuple(asked)
    who = f"it takes {'; '.join(map(str, wanted))}" if wanted else "it takes no approval"
    if _among(subject, tuple(proposers)):
        raise Forbidden(f"{subject} proposed this", "who proposes never approves", who)
    if bot:
        raise Forbidden(f"{subject} is a bot", "a bot's approval never counts", who)
    if wanted and not any(need.takes(subject, roles) for need in wanted):
        raise Forbidden(
            f"{subject} may not approve this",
            f"has roles: {', '.join(sorted(roles)) or 'none'}",
            who,
        )


def _among(subject: str, others: tuple[str, ...]) -> bool:
    return any(same_subject(subject, other) for other in others)


def _some(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
