"""Opening a database and beginning transactions on it. SQLite in WAL mode, or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError

from registry.adapters.sql.failures import translated
from registry.adapters.sql.migrate import bring_up_to_date
from registry.kernel.errors import Corrupt, FieldhouseError, Invalid, Unavailable

# Any number that nobody else is likely to use: one writer at a time on PostgreSQL.
_WRITER_LOCK = 0x6669_656C_64
_BUSY_TIMEOUT_MS = 15_000


class Database:
    """A registry database. `read` sees one snapshot, `write` is alone until it commits."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Whatever is read inside is as of one moment, however many statements it takes."""
        try:
            with translated(self._engine), self._engine.connect() as connection:
                _begin_snapshot(connection)
                yield connection
        except (Unavailable, Corrupt):
            self._engine.dispose()  # what a connection holds of a database that was away is stale
            raise

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Commits at the end, rolls back on any error."""
        with translated(self._engine), self._engine.connect() as connection:
            _begin_alone(connection)
            yield connection
            connection.commit()

    def close(self) -> None:
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open the registry's database, made or brought up to date when need be.

    Raises `Invalid` for a URL that names no known database, `Unavailable` when it does not answer,
    `Corrupt` when it is damaged, and `Refused` when a newer Fieldhouse wrote it.
    """
    try:
        parsed = sa.make_url(url)
        _make_folder(parsed)
        engine = sa.create_engine(parsed, pool_pre_ping=True)
    except (sa.exc.ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise Invalid(
            f"registry.url {url!r} cannot be opened",
            str(error),
            "write sqlite:///path, or postgresql+psycopg://… with fieldhouse[postgres] installed",
        ) from error
    if parsed.get_backend_name() == "sqlite":
        _configure_sqlite(engine)
    try:
        with translated(engine):
            bring_up_to_date(engine)
    except FieldhouseError:
        engine.dispose()
        raise
    return Database(engine)


def _make_folder(url: sa.URL) -> None:
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    if url.database != ":memory:" and not url.database.startswith("file:"):  # SQLite's own address
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _configure_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        # The driver must not begin transactions by itself: `_begin_alone` does.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


def _begin_snapshot(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")


def _begin_alone(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
