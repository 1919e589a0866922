"""Namespace states and published states in SQL. Writes only the rows that differ."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_text, instant_text, to_blob, to_text
from registry.adapters.sql.likeness import put_definitions
from registry.core.definitions import Entity
from registry.core.duplication import KnownFeature, known_feature
from registry.core.published import Published
from registry.core.state import (
    FeatureRecord,
    NamespaceState,
    OnDemandRecord,
    ServiceRecord,
    ViewLine,
)
from registry.kernel.errors import Conflict

T = TypeVar("T")
KINDS: Mapping[str, Any] = {
    "entities": Entity,
    "lines": ViewLine,
    "on_demand": OnDemandRecord,
    "services": ServiceRecord,
}


def load_state(connection: sa.Connection, namespace: str) -> NamespaceState:
    """The namespace as it stands; one that nobody applied to yet is empty, number 0."""
    number = connection.execute(
        sa.select(t.namespace.c.number).where(t.namespace.c.name == namespace)
    ).scalar()
    if number is None:
        return NamespaceState(namespace)
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    rows = connection.execute(sa.select(t.definition).where(t.definition.c.namespace == namespace))
    for row in rows:
        found[row.kind][row.key] = from_text(row.body, KINDS[row.kind], f"{row.kind} {row.key}")
    features = connection.execute(
        sa.select(t.feature.c.ref, t.feature.c.body).where(t.feature.c.namespace == namespace)
    )
    records = {row.ref: from_text(row.body, FeatureRecord, row.ref) for row in features}
    return NamespaceState(namespace, number, features=records, **found)


def load_services(connection: sa.Connection, namespace: str) -> dict[str, ServiceRecord]:
    """A namespace's services by name."""
    c = t.definition.c
    query = sa.select(c.key, c.body).where(c.namespace == namespace, c.kind == "services")
    rows = connection.execute(query)
    return {row.key: from_text(row.body, ServiceRecord, f"service {row.key}") for row in rows}


def save_state(connection: sa.Connection, before: NamespaceState, after: NamespaceState) -> None:
    """Write what differs. Raises `Conflict` when the stored number is no longer `before`'s."""
    _move_number(connection, before, after)
    name = after.namespace
    for kind in KINDS:
        old, new = getattr(before, kind), getattr(after, kind)
        _write_rows(connection, t.definition, _definition_rows(name, kind, old, new))
        gone = [key for key in old if key not in new]
        if gone:
            where = (t.definition.c.namespace == name) & (t.definition.c.kind == kind)
            connection.execute(sa.delete(t.definition).where(where, t.definition.c.key.in_(gone)))
    _write_rows(connection, t.feature, _feature_rows(name, before.features, after.features))
    put_definitions(connection, name, _redefined(before.features, after.features))


def _redefined(
    old: Mapping[str, FeatureRecord], new: Mapping[str, FeatureRecord]
) -> Iterator[FeatureRecord]:
    for ref, record in new.items():
        if ref not in old or old[ref].facets != record.facets:
            yield record


def _move_number(connection: sa.Connection, before: NamespaceState, after: NamespaceState) -> None:
    if before.number == 0:
        row = {"name": after.namespace, "number": after.number}
        connection.execute(sa.insert(t.namespace).values(row))
        return
    moved = connection.execute(
        sa.update(t.namespace)
        .where(t.namespace.c.name == after.namespace, t.namespace.c.number == before.number)
        .values(number=after.number)
    )
    if moved.rowcount != 1:
        raise Conflict(
            f"namespace {after.namespace} changed meanwhile", hint="plan again and apply that"
        )


def _definition_rows(
    namespace: str, kind: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for key, value in new.items():
        if old.get(key) != value:
            yield {"namespace": namespace, "kind": kind, "key": key, "body": to_text(value)}


def _feature_rows(
    namespace: str, old: Mapping[str, FeatureRecord], new: Mapping[str, FeatureRecord]
) -> Iterator[dict[str, Any]]:
    for ref, record in new.items():
        if old.get(ref) != record:
            yield {
                "namespace": namespace,
                "ref": ref,
                "state": record.state,
                "definition_key": record.definition_key,
                "body": to_text(record),
            }


def _write_rows(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    """Insert or replace, by deleting the old row of the same key first."""
    written = list(rows)
    if not written:
        return
    keys = [column.name for column in table.primary_key]
    old = sa.delete(table).where(*(table.c[k] == sa.bindparam(f"old_{k}") for k in keys))
    connection.execute(old, [{f"old_{k}": row[k] for k in keys} for row in written])
    connection.execute(sa.insert(table), written)


def save_published(connection: sa.Connection, published: Published) -> None:
    """Append a published state; numbers are never reused."""
    connection.execute(
        sa.insert(t.published).values(
            namespace=published.namespace,
            number=published.number,
            at=instant_text(published.at),
            body=to_blob(published),
        )
    )


def borrowers(connection: sa.Connection, namespace: str) -> list[tuple[str, ServiceRecord]]:
    """(namespace, service) of others that are pinned to a view of this namespace, by name."""
    c = t.definition.c
    query = sa.select(c.namespace, c.key, c.body).where(
        c.kind == "services",
        c.namespace != namespace,
        c.body.contains(f'"view":"{namespace}/', autoescape=True),
    )
    return [
        (row.namespace, from_text(row.body, ServiceRecord, f"service {row.key}"))
        for row in connection.execute(query.order_by(c.namespace, c.key))
    ]


def live_features(connection: sa.Connection) -> Iterator[tuple[str, FeatureRecord]]:
    """(namespace, record) of every live feature version, by namespace and name."""
    query = sa.select(t.feature).where(t.feature.c.state != "retired")
    for row in connection.execute(query.order_by(t.feature.c.namespace, t.feature.c.ref)):
        yield row.namespace, from_text(row.body, FeatureRecord, row.ref)


def features_of(
    connection: sa.Connection, refs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, FeatureRecord]]:
    """(namespace, record) of these live (namespace, `view:feature@version`), in their order."""
    c = t.feature.c
    for namespace, ref in refs:
        query = sa.select(c.body).where(c.namespace == namespace, c.ref == ref)
        body = connection.execute(query.where(c.state != "retired")).scalar()
        if body is not None:
            yield namespace, from_text(body, FeatureRecord, ref)


def known_by_key(connection: sa.Connection, keys: list[str]) -> list[KnownFeature]:
    """Live features of every namespace whose definition key is one of these."""
    found: list[KnownFeature] = []
    for start in range(0, len(keys), 500):
        query = sa.select(t.feature).where(
            t.feature.c.definition_key.in_(keys[start : start + 500]),
            t.feature.c.state != "retired",
        )
        for row in connection.execute(query.order_by(t.feature.c.namespace, t.feature.c.ref)):
            record = from_text(row.body, FeatureRecord, row.ref)
            found.append(known_feature(row.namespace, record))
    return found
