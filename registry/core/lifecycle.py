"""The states of a feature and the moves between them, as data. Pure.

Maturity (draft, production, deprecated) is declared in code and moved by `apply`; removal retires.
Quarantine and release happen at run time and never come from code (decision 4).
"""

from dataclasses import dataclass
from typing import Literal

from registry.kernel.errors import Refused

By = Literal["apply", "run time"]


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed move. `guard` says what evidence it needs."""

    letter: str
    before: str
    after: str
    by: By
    guard: str


MOVES = (
    Move("a", "new", "draft", "apply", "an owner, a description and a unit"),
    Move("b", "new", "production", "apply", "an owner, a description, a unit and an approval"),
    Move("c", "draft", "production", "apply", "an approval"),
    Move("d", "production", "deprecated", "apply", "a sunset, and a replacement or a reason"),
    Move("e", "deprecated", "production", "apply", "an approval"),
    Move("f", "draft", "retired", "apply", "nothing reads it"),
    Move("g", "deprecated", "retired", "apply", "nothing reads it"),
    Move("h", "production", "quarantined", "run time", "a failed check, or a steward's reason"),
    Move("i", "deprecated", "quarantined", "run time", "a failed check, or a steward's reason"),
    Move("j", "quarantined", "production", "run time", "a steward's reason"),
    Move("k", "quarantined", "deprecated", "run time", "a steward's reason"),
    Move("l", "retired", "draft", "apply", "a new version"),
    Move("m", "retired", "production", "apply", "a new version and an approval"),
)
_ALLOWED = {(m.before, m.after, m.by) for m in MOVES}


def allowed(before: str, after: str, by: By) -> bool:
    """Whether the table has that move."""
    return (before, after, by) in _ALLOWED


def check_move(ref: str, before: str, after: str, by: By) -> None:
    """Raise `Refused` with the moves that exist when the table lacks this one."""
    if allowed(before, after, by):
        return
    onward = sorted({f"{m.after} (by {m.by}: {m.guard})" for m in MOVES if m.before == before})
    raise Refused(
        f"{ref} cannot go from {before} to {after} at {by}",
        f"from {before} it can go to: {', '.join(onward) or 'nowhere'}",
    )


def mermaid() -> str:
    """The table as a Mermaid state diagram, for `docs/lifecycle.md`."""
    names = {"new": "[*]"}
    lines = ["stateDiagram-v2"]
    for move in MOVES:
        before = names.get(move.before, move.before)
        lines.append(f"    {before} --> {move.after}: ({move.letter}) {move.by}")
    return "\n".join(lines)
