"""What a database's own errors mean to us: what happened, and what to do. Opens nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from registry.kernel.errors import Corrupt, FieldhouseError, Unavailable

AGAIN = "what was not committed is undone: run the same command again"
# By SQLite's name of the error (its first part) and by PostgreSQL's code.
HINTS: Mapping[str, str] = {
    "SQLITE_FULL": f"the disk is full: make room, then {AGAIN.partition(': ')[2]}",
    "53100": f"the disk is full: make room, then {AGAIN.partition(': ')[2]}",
    "SQLITE_READONLY": "the file may not be written: give this user the right to",
    "25006": "the server takes no writes: registry.url must name the primary",
    "SQLITE_CANTOPEN": "the file or its folder may not be opened: give this user the right to",
    "SQLITE_BUSY": f"another program holds the registry; {AGAIN}",
}
DAMAGED = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


@contextmanager
def translated(engine: sa.Engine) -> Iterator[None]:
    """Foreign errors in our words, the cause kept.

    Raises `Corrupt` for a file that is no whole database, else `Unavailable`: what had not been
    committed is undone, and whoever does not know whether it had been may run it again.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _told(engine, error) from error


def _told(engine: sa.Engine, error: SQLAlchemyError) -> FieldhouseError:
    where = engine.url.render_as_string(hide_password=True)
    code = _code(getattr(error, "orig", None))
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    reason = said.splitlines()[0]
    if code in DAMAGED:
        return Corrupt(
            f"the registry database {where} is damaged, or no database",
            reason,
            "put a backup of it in place; see docs/governance.md",
        )
    hint = HINTS.get(code, AGAIN)
    return Unavailable(f"the registry database {where} did not do it", reason, hint)


def _code(error: object) -> str:
    """`SQLITE_FULL` and the like, a PostgreSQL SQLSTATE, or nothing."""
    name = getattr(error, "sqlite_errorname", None)
    if name:
        return "_".join(str(name).split("_")[:2])
    return str(getattr(error, "sqlstate", None) or "")
