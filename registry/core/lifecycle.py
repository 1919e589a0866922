"""The states of a feature and the moves between them, as data. Pure.

Maturity (draft, production, deprecated) is declared in code and moved by `apply`; removal retires.
Quarantine and release happen at run time and never come from code (decision 4).
"""

from dataclasses import dataclass
from typing import Literal

from registry.kernel.errors import Refused

By = Literal["apply", "run time"]
CheckKind = Literal["quality", "parity"]


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed move. `guard` says what evidence it needs: of the checks `passed` a stored
    passed result of the feature's meaning, of the checks `mended` no stored failure that nothing
    passed after."""

    letter: str
    before: str
    after: str
    by: By
    guard: str
    passed: tuple[CheckKind, ...] = ()
    mended: tuple[CheckKind, ...] = ()

    @property
    def needs(self) -> str:
        """The guard, with the stored results that it asks for."""
        asked = [f"a stored passed {kind} check" for kind in self.passed]
        asked += [f"no stored failed {kind} check since" for kind in self.mended]
        return ", ".join([self.guard, *asked])


FAILED = "a stored failed check, or a steward's reason"
CHECKS: tuple[CheckKind, ...] = ("quality", "parity")
MOVES = (
    Move("a", "new", "draft", "apply", "an owner, a description and a unit"),
    Move("b", "new", "production", "apply", "an owner, a description, a unit and an approval"),
    Move("c", "draft", "production", "apply", "an approval", passed=("quality",)),
    Move("d", "production", "deprecated", "apply", "a sunset, and a replacement or a reason"),
    Move("e", "deprecated", "production", "apply", "an approval"),
    Move("f", "draft", "retired", "apply", "nothing reads it"),
    Move("g", "deprecated", "retired", "apply", "nothing reads it"),
    Move("h", "production", "quarantined", "run time", FAILED),
    Move("i", "deprecated", "quarantined", "run time", FAILED),
    Move("j", "quarantined", "production", "run time", "a steward's reason", mended=CHECKS),
    Move("k", "quarantined", "deprecated", "run time", "a steward's reason", mended=CHECKS),
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
    onward = sorted({f"{m.after} (by {m.by}: {m.needs})" for m in MOVES if m.before == before})
    raise Refused(
        f"{ref} cannot go from {before} to {after} at {by}",
        f"from {before} it can go to: {', '.join(onward) or 'nowhere'}",
    )


def move_of(before: str, after: str, by: By) -> Move | None:
    """The move of the table; None where it has none."""
    return next((m for m in MOVES if (m.before, m.after, m.by) == (before, after, by)), None)


def mermaid() -> str:
    """The table as a Mermaid state diagram, for `docs/lifecycle.md`."""
    names = {"new": "[*]"}
    lines = ["stateDiagram-v2"]
    for move in MOVES:
        before = names.get(move.before, move.before)
        lines.append(f"    {before} --> {move.after}: ({move.letter}) {move.by}")
    return "\n".join(lines)
