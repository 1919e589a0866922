"""The schema goes up and down with data in it, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.adapters.sql.database import open_database
from registry.adapters.sql.migrate import NEWEST, migrate, schema_revision
from registry.adapters.sql.tables import metadata
from registry.kernel.errors import Refused, Unavailable


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    open_database(url).close()
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_expects(engine: sa.Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_schema_goes_down_and_up_again(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO namespace (name, number) VALUES ('flights', 3)"))
    migrate(engine, "base", down=True)
    assert schema_revision(engine) is None
    migrate(engine, NEWEST)
    assert schema_revision(engine) == NEWEST


def test_a_registry_of_a_newer_fieldhouse_is_refused(url: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match="newer Fieldhouse"):
        open_database(url)


def test_a_database_that_does_not_answer_is_said_to_be_unavailable() -> None:
    with pytest.raises(Unavailable, match="what was not committed is undone"):
        open_database("postgresql+psycopg://nobody@127.0.0.1:1/none")
