"""Reads published states from SQL: all that a server needs of the registry's tables.

Nothing here knows how a state came about, so that servers start without that.
"""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_blob, instant_text
from registry.adapters.sql.database import Database
from registry.core.published import Published
from registry.kernel.clock import Clock


def published_reader(database: Database, namespace: str, clock: Clock) -> Callable[[], Published]:
    """Reads the newest published state; when its number is unchanged, only the number."""
    cached = [Published(0, clock(), namespace)]

    def read() -> Published:
        with database.read() as connection:
            if published_number(connection, namespace) != cached[0].number:
                newest = load_published(connection, namespace)
                cached[0] = newest if newest is not None else cached[0]
        return cached[0]

    return read


def published_number(connection: sa.Connection, namespace: str) -> int:
    """The newest published number; 0 when nothing was published."""
    query = sa.select(sa.func.max(t.published.c.number)).where(t.published.c.namespace == namespace)
    return connection.execute(query).scalar() or 0


def load_published(
    connection: sa.Connection, namespace: str, at: datetime | None = None
) -> Published | None:
    """The newest published state, or the one that was in force at an instant."""
    query = sa.select(t.published.c.body).where(t.published.c.namespace == namespace)
    if at is not None:
        query = query.where(t.published.c.at <= instant_text(at))
    body = connection.execute(query.order_by(t.published.c.number.desc()).limit(1)).scalar()
    return None if body is None else from_blob(body, Published, f"published state of {namespace}")
