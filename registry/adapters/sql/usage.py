"""Counts of lookups in SQL: one row a feature version, service and caller."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import instant_of, instant_text
from registry.adapters.sql.database import Database
from registry.ports import UsageRecord


class SqlUsage:
    """A `UsageBook` of one namespace."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database, self._namespace = database, namespace

    def add(self, records: Sequence[UsageRecord]) -> None:
        with self._database.write() as connection:
            for record in records:
                self._add(connection, record)

    def _add(self, connection: sa.Connection, record: UsageRecord) -> None:
        c = t.usage.c
        at = {
            "namespace": self._namespace,
            "ref": record.ref,
            "service": record.service,
            "caller": record.caller,
        }
        counted = connection.execute(
            sa.update(t.usage)
            .where(*(t.usage.c[name] == value for name, value in at.items()))
            .values(
                requests=c.requests + record.requests,
                rows=c.rows + record.rows,
                last_at=instant_text(record.last_at),
            )
        )
        if counted.rowcount == 0:
            values = {**at, "requests": record.requests, "rows": record.rows}
            connection.execute(
                sa.insert(t.usage).values(**values, last_at=instant_text(record.last_at))
            )

    def all(self, ref: str | None = None) -> Sequence[UsageRecord]:
        c = t.usage.c
        chosen = sa.select(t.usage).where(c.namespace == self._namespace)
        if ref is not None:
            chosen = chosen.where(c.ref == ref)
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(c.requests.desc(), c.ref, c.service)).all()
        return [_record(row) for row in rows]


def _record(row: Any) -> UsageRecord:
    return UsageRecord(
        row.ref, row.service, row.caller, row.requests, row.rows, instant_of(row.last_at)
    )
