"""The audit chain: each event carries the hash of the one before it. Pure.

An event's action is a grammar, `object:verb[:detail]`, such as `feature:state:deprecated`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from registry.kernel.canonical import digest
from registry.kernel.clock import format_instant

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """Something that somebody did. `detail` is JSON-able; `at` is aware UTC."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str = ""
    namespace: str = ""
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event in its place: `sequence` counts from 1 without gaps."""

    sequence: int
    event: Event
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement that the chain reached `sequence` with `hash`. `signature` is hex."""

    sequence: int
    hash: str
    at: datetime
    signature: str = ""
    key: str = ""


def event_hash(sequence: int, event: Event, previous: str) -> str:
    """The digest of an event in its place."""
    return digest(
        {
            "sequence": sequence,
            "previous": previous,
            "at": format_instant(event.at),
            "actor": event.actor,
            "action": event.action,
            "subject": event.subject,
            "reason": event.reason,
            "namespace": event.namespace,
            "detail": dict(event.detail or {}),
        }
    )


def chain(events: Iterable[Event], last: ChainedEvent | None) -> list[ChainedEvent]:
    """Put events after `last`. A clock that jumped back does not turn the order of time around:
    an event is never dated before the one it follows."""
    sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
    newest = last.event.at if last else None
    chained = []
    for given in events:
        event = given if newest is None or given.at >= newest else replace(given, at=newest)
        newest = event.at
        sequence += 1
        hash_ = event_hash(sequence, event, previous)
        chained.append(ChainedEvent(sequence, event, previous, hash_))
        previous = hash_
    return chained


def verify_chain(
    events: Iterable[ChainedEvent], checkpoints: Iterable[Checkpoint] = ()
) -> list[str]:
    """What is wrong with the chain, a sentence each; nothing when it is whole.

    `events` come in order of sequence. Names the first row of each kind of damage: edited, removed,
    reordered, cut off before a checkpoint.
    """
    problems: list[str] = []
    by_sequence: dict[int, str] = {}
    expected, previous = 1, GENESIS
    for chained in events:
        if chained.sequence != expected:
            problems.append(f"rows {expected} to {chained.sequence - 1} are missing")
        elif chained.previous != previous:
            problems.append(f"row {chained.sequence} does not follow row {expected - 1}")
        if event_hash(chained.sequence, chained.event, chained.previous) != chained.hash:
            problems.append(f"row {chained.sequence} was edited")
        by_sequence[chained.sequence] = chained.hash
        expected, previous = chained.sequence + 1, chained.hash
    for mark in checkpoints:
        found = by_sequence.get(mark.sequence)
        if found is None:
            problems.append(
                f"the chain is cut off: it ends at row {expected - 1}, "
                f"a checkpoint saw row {mark.sequence}"
            )
        elif found != mark.hash:
            problems.append(f"row {mark.sequence} is not the row that a checkpoint saw")
    return problems
