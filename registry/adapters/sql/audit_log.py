"""The audit chain in SQL: rows are added at its end and never touched again."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import instant_of, instant_text
from registry.core.audit import ChainedEvent, Checkpoint, Event, chain
from registry.kernel.canonical import canonical_json


def append_events(connection: sa.Connection, events: Iterable[Event]) -> Sequence[ChainedEvent]:
    """Chain events after the last row. The caller holds the only write transaction."""
    newest = sa.select(t.audit).order_by(t.audit.c.sequence.desc()).limit(1)
    row = connection.execute(newest).first()
    chained = chain(events, None if row is None else _event(row))
    if chained:
        connection.execute(sa.insert(t.audit), [_row(event) for event in chained])
    return chained


def read_events(
    connection: sa.Connection,
    subject: str | None = None,
    until: datetime | None = None,
    newest: int | None = None,
) -> Iterator[ChainedEvent]:
    """Events in order, of one subject and up to an instant if asked; the `newest` of those."""
    query = sa.select(t.audit)
    if subject is not None:
        query = query.where(t.audit.c.subject.contains(subject, autoescape=True))
    if until is not None:
        query = query.where(t.audit.c.at <= instant_text(until))
    if newest is not None:
        query = query.order_by(t.audit.c.sequence.desc()).limit(newest)
        yield from (_event(row) for row in reversed(connection.execute(query).all()))
        return
    for row in connection.execute(query.order_by(t.audit.c.sequence)):
        yield _event(row)


def save_checkpoint(connection: sa.Connection, mark: Checkpoint) -> None:
    """Keep a signed statement of where the chain stood; a second one there changes nothing."""
    known = sa.select(t.checkpoint.c.sequence).where(t.checkpoint.c.sequence == mark.sequence)
    if connection.execute(known).first() is None:
        connection.execute(
            sa.insert(t.checkpoint).values(
                sequence=mark.sequence,
                hash=mark.hash,
                at=instant_text(mark.at),
                signature=mark.signature,
                key=mark.key,
            )
        )


def read_checkpoints(connection: sa.Connection) -> list[Checkpoint]:
    rows = connection.execute(sa.select(t.checkpoint).order_by(t.checkpoint.c.sequence))
    return [
        Checkpoint(row.sequence, row.hash, instant_of(row.at), row.signature, row.key)
        for row in rows
    ]


def _row(chained: ChainedEvent) -> dict[str, object]:
    event = chained.event
    return {
        "sequence": chained.sequence,
        "at": instant_text(event.at),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "namespace": event.namespace,
        "reason": event.reason,
        "detail": canonical_json(dict(event.detail or {})),
        "previous": chained.previous,
        "hash": chained.hash,
    }


def _event(row: sa.Row[tuple[object, ...]]) -> ChainedEvent:
    event = Event(
        at=instant_of(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        reason=row.reason,
        namespace=row.namespace,
        detail=json.loads(row.detail),
    )
    return ChainedEvent(row.sequence, event, row.previous, row.hash)
