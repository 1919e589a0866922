"""Families of features as text for a terminal. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from registry.core.similarity.families import Member
from registry.core.similarity.kinship import Kin, Tie

MARKS = {"duplicate": "=", "near-duplicate": "≈", "variant": "~"}
_LEGEND = "= duplicate  ≈ near-duplicate  ~ variant"


def kin_text(found: Sequence[Kin]) -> str:
    """Each family under the member that leads it, strongest ties first, and the marks explained."""
    if not found:
        return ""
    return "\n\n".join([*("\n".join(_lines(kin)) for kin in found), _LEGEND])


def kin_counts(found: Iterable[Kin]) -> str:
    """`2 duplicates, 1 near-duplicate, 5 variants; 1 open`."""
    ties = [tie for kin in found for tie in kin.ties]
    said = [_count(sum(t.verdict == v for t in ties), v) for v in MARKS]
    unanswered = sum(t.verdict != "variant" and t.answer is None for t in ties)
    return f"{', '.join(said)}; {unanswered} not answered"


def _lines(kin: Kin) -> Iterator[str]:
    first, *others = kin.members
    yield _member(first)
    for member, tie in zip(others, kin.ties, strict=True):
        yield f"  {MARKS[tie.verdict]} {_member(member)}"
        yield f"      {_tied(tie, first.ref)}"
        if tie.verdict != "variant":
            yield f"      {_answered(tie)}"


def _member(member: Member) -> str:
    return f"{member.ref}  {member.state}, {member.owner or 'no owner'}"


def _tied(tie: Tie, leader: str) -> str:
    to = "" if tie.to == leader else f" of {tie.to}"
    return f"{tie.verdict}{to}: {tie.why}"


def _answered(tie: Tie) -> str:
    if tie.answer is not None:
        return f"answered: {tie.answer}"
    return f'→ fieldhouse duplicates answer {tie.ref} {tie.to} --reuse|--variant|… "because …"'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
