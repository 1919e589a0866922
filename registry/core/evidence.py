"""Stored results of checks: what lifecycle moves are judged by. Pure.

A result is an event of the audit chain, `check:quality:passed` about one feature version, so that
it can neither be edited nor taken away unseen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from registry.core.audit import Event
from registry.core.lifecycle import CheckKind, Move

COMMANDS: Mapping[str, str] = {
    "quality": "fieldhouse lifecycle prove {ref}",
    "parity": "fieldhouse parity {view}",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check said of one feature version (`view:feature@version`) of one meaning digest.

    `said` has the failures, a sentence each. `at` None: not stored yet.
    """

    kind: CheckKind
    ref: str
    meaning: str
    passed: bool
    said: str = ""
    at: datetime | None = None

    @property
    def action(self) -> str:
        """The verb of its event."""
        return f"check:{self.kind}:{'passed' if self.passed else 'failed'}"

    def says_the_same(self, other: "CheckResult") -> bool:
        """Whether storing it beside `other` would tell nothing new."""
        return (self.kind, self.ref, self.meaning, self.passed) == (
            other.kind,
            other.ref,
            other.meaning,
            other.passed,
        )


def event_of(result: CheckResult, namespace: str, actor: str, at: datetime) -> Event:
    """The event that keeps a result."""
    return Event(
        at, actor, result.action, result.ref, result.said, namespace, {"meaning": result.meaning}
    )


def results_of(events: Iterable[Event], namespace: str, ref: str) -> tuple[CheckResult, ...]:
    """The newest result of each kind about one feature version, out of events in their order."""
    newest: dict[str, CheckResult] = {}
    for event in events:
        word, _, rest = event.action.partition(":")
        if (word, event.namespace, event.subject) != ("check", namespace, ref):
            continue
        kind, _, outcome = rest.partition(":")
        meaning = str((event.detail or {}).get("meaning", ""))
        known: CheckKind = "parity" if kind == "parity" else "quality"
        passed = outcome == "passed"
        newest[kind] = CheckResult(known, ref, meaning, passed, event.reason, event.at)
    return tuple(newest.values())


def missing(
    move: Move, ref: str, meaning: str, results: Iterable[CheckResult]
) -> tuple[tuple[str, str], ...]:
    """(what is missing, the command that makes it) of the evidence that a move asks for: a passed
    result of that very meaning, and no stored failure that nothing passed after."""
    held = {result.kind: result for result in results}
    found = []
    for kind in (*move.passed, *move.mended):
        result = held.get(kind)
        of_this = result is not None and result.meaning == meaning
        if kind in move.mended and not of_this:
            continue  # nothing was found wrong with it
        if result is not None and of_this and result.passed:
            continue
        what = (
            f"its {kind} check failed: {result.said}"
            if result is not None and of_this
            else (f"no passed {kind} check of this meaning is stored")
        )
        command = COMMANDS[kind].format(ref=ref.partition("@")[0], view=ref.partition(":")[0])
        found.append((what, command))
    return tuple(found)
