"""Bringing a database's schema up to date with Alembic, and refusing one from the future."""

from pathlib import Path

import sqlalchemy as sa

from registry.kernel.errors import Refused

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0005"


def schema_revision(engine: sa.Engine) -> str | None:
    """The revision that the database says it has; None for an empty one."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def bring_up_to_date(engine: sa.Engine) -> None:
    """Run the migrations that are missing. Cheap, and imports no Alembic, when none is.

    Raises `Refused` when the database has a revision that this Fieldhouse does not know.
    """
    found = schema_revision(engine)
    if found == NEWEST:
        return
    if found is not None and found > NEWEST:
        raise Refused(
            "the registry was written by a newer Fieldhouse",
            f"its schema is {found}, this one knows {NEWEST}",
            "upgrade Fieldhouse",
        )
    migrate(engine, NEWEST)


def migrate(engine: sa.Engine, revision: str, *, down: bool = False) -> None:
    """Move the schema to `revision` ("base" for empty), all in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7233173)"))
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)
        connection.commit()
