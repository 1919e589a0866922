"""Features of open proposals in SQL, so that two people meet before either of theirs lands."""

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_blob, from_text, to_blob, to_text
from registry.adapters.sql.sketches import Stored, sketch_of, stored_of
from registry.core.duplication import KnownFeature, ProposedFeature
from registry.core.proposals import PENDING
from registry.core.similarity.values import ValueSketch

_AT_ONCE = 200


def save_proposed(
    connection: sa.Connection, digest: str, features: Iterable[ProposedFeature]
) -> None:
    """Keep what a proposal adds, in place of what was kept of it before."""
    drop_proposed(connection, digest)
    for feature in features:
        sketch = feature.sketch
        row = {
            "proposal": digest,
            "ref": feature.known.ref,
            "definition_key": feature.known.definition_key,
            "body": to_text(feature.known),
            "entity": None if sketch is None else sketch.entity,
            "sketch": None if sketch is None else to_blob(stored_of(sketch)),
        }
        connection.execute(sa.insert(t.proposed_feature).values(row))


def drop_proposed(connection: sa.Connection, digest: str) -> None:
    """Forget what a proposal adds: it is no longer open."""
    c = t.proposed_feature.c
    connection.execute(sa.delete(t.proposed_feature).where(c.proposal == digest))


def proposed_by_key(connection: sa.Connection, keys: Sequence[str]) -> list[ProposedFeature]:
    """What open proposals of any namespace add with one of these definition keys."""
    found: list[ProposedFeature] = []
    for start in range(0, len(keys), _AT_ONCE):
        chosen = t.proposed_feature.c.definition_key.in_(keys[start : start + _AT_ONCE])
        found += [_proposed(row) for row in connection.execute(_open(chosen))]
    return found


def proposed_of(connection: sa.Connection, entity: str) -> Iterator[ProposedFeature]:
    """What open proposals add to an entity and has a sketch."""
    for row in connection.execute(_open(t.proposed_feature.c.entity == entity)):
        yield _proposed(row)


def proposed_in(connection: sa.Connection, digest: str) -> list[ProposedFeature]:
    """What one proposal adds, while it is open."""
    return [_proposed(row) for row in connection.execute(_open(t.proposal.c.digest == digest))]


def _open(chosen: sa.ColumnElement[bool]) -> sa.Select[tuple[object, ...]]:
    c = t.proposed_feature.c
    return (
        sa.select(*c, t.proposal.c.proposer)
        .join(t.proposal, t.proposal.c.digest == c.proposal)
        .where(chosen, t.proposal.c.status.in_(PENDING))
        .order_by(c.proposal, c.ref)
    )


def _proposed(row: sa.Row[tuple[object, ...]]) -> ProposedFeature:
    known = from_text(row.body, KnownFeature, f"proposed feature {row.ref}")
    return ProposedFeature(row.proposal, row.proposer, known, _sketch(row))


def _sketch(row: sa.Row[tuple[object, ...]]) -> ValueSketch | None:
    if row.sketch is None:
        return None
    stored = from_blob(row.sketch, Stored, f"sketch of {row.ref}")
    return sketch_of(row.ref.partition("/")[2], row.entity, stored)
