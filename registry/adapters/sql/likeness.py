"""The index of features that may be alike, in SQL: numbers by which each is found, by tier."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.core.state import FeatureRecord

if TYPE_CHECKING:
    from registry.core.similarity.values import ValueSketch


STRUCTURE, VALUES, COURSES = 1, 2, 3
_AT_ONCE = 200
Indexed = tuple[str, Sequence[int]]


def put(connection: sa.Connection, namespace: str, tier: int, features: Iterable[Indexed]) -> None:
    """Keep the numbers of features, by `view:feature@version`, in place of the tier's old ones."""
    waiting = iter(features)
    while part := dict(islice(waiting, _AT_ONCE)):
        ids = _ids(connection, namespace, list(part))
        c = t.likeness.c
        old = sa.delete(t.likeness).where(c.feature.in_(ids.values()), c.tier == tier)
        connection.execute(old)
        rows = [
            {"tier": tier, "token": number, "feature": ids[ref]}
            for ref, numbers in part.items()
            for number in sorted(set(numbers))
        ]
        if rows:
            connection.execute(sa.insert(t.likeness), rows)


def put_definitions(
    connection: sa.Connection, namespace: str, records: Iterable[FeatureRecord]
) -> None:
    """Index features by the pieces of their definitions."""
    from registry.core.similarity.minhash import bands  # numpy is not for every server that starts
    from registry.core.similarity.trees import sql_tree

    def found() -> Iterator[Indexed]:
        for record in records:
            expression = dict(record.facets).get("expression", "")
            tree = None if record.on_demand else sql_tree(expression)
            yield record.ref, () if tree is None else bands(tree)

    put(connection, namespace, STRUCTURE, found())


def put_values(
    connection: sa.Connection, namespace: str, sketches: Iterable["ValueSketch"]
) -> None:
    """Index features by what their sketches hold."""
    from registry.core.similarity.fingerprints import course_fingerprints, stored_fingerprints

    made = list(sketches)
    values = ((sketch.ref, stored_fingerprints(sketch)) for sketch in made)
    put(connection, namespace, VALUES, values)
    courses = ((sketch.ref, course_fingerprints(sketch)) for sketch in made)
    put(connection, namespace, COURSES, courses)


def _ids(connection: sa.Connection, namespace: str, refs: list[str]) -> dict[str, int]:
    """The number that stands for each feature in the index, given where it has none."""
    c = t.indexed.c
    query = sa.select(c.ref, c.id).where(c.namespace == namespace, c.ref.in_(refs))
    known = {row.ref: row.id for row in connection.execute(query)}
    missing = [{"namespace": namespace, "ref": ref} for ref in refs if ref not in known]
    if missing:
        connection.execute(sa.insert(t.indexed), missing)
        known = {row.ref: row.id for row in connection.execute(query)}
    return known


def find(
    connection: sa.Connection, tier: int, numbers: Sequence[int], limit: int
) -> Iterator[tuple[str, str]]:
    """(namespace, ref) of the live features that share most of these numbers, at most `limit`."""
    c, shared = t.likeness.c, sa.func.count().label("shared")
    hits = (
        sa.select(c.feature, shared)
        .where(c.tier == tier, c.token.in_(list(numbers)))
        .group_by(c.feature)
        .subquery()
    )
    live = sa.and_(
        t.feature.c.namespace == t.indexed.c.namespace,
        t.feature.c.ref == t.indexed.c.ref,
        t.feature.c.state != "retired",
    )
    query = (
        sa.select(t.indexed.c.namespace, t.indexed.c.ref)
        .join(hits, hits.c.feature == t.indexed.c.id)
        .join(t.feature, live)
        .order_by(hits.c.shared.desc(), t.indexed.c.namespace, t.indexed.c.ref)
        .limit(limit)
    )
    if numbers:
        yield from ((row.namespace, row.ref) for row in connection.execute(query))
