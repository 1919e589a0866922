"""What can befall a registry's database: one clear error each, and nothing half-applied."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry.adapters.sql.database import open_database
from registry.bootstrap import SqlRegistry, open_registry
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Corrupt, Unavailable
from registry.kernel.settings import Settings
from registry.service.apply import Applied, apply
from registry.service.verify import verify_audit
from registry.testing import NOON
from tests.apply_worker import ADA, next_change, opened, problems, put_forward

COMMAND = Path(sys.executable).with_name("fieldhouse")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlRegistry]:
    registry = opened(tmp_path, "")
    yield registry
    registry.database.close()


@pytest.fixture
def postgres(tmp_path: Path, postgres_url: str) -> Iterator[SqlRegistry]:
    registry = opened(tmp_path, postgres_url)
    yield registry
    registry.database.close()


def land(registry: SqlRegistry, number: int) -> Applied:
    made = next_change(registry, number)
    return apply(registry.context, put_forward(registry, made), made, ADA)


def before_statement(registry: SqlRegistry, number: int, act: Callable[[], None]) -> None:
    """Do something once, right before the statement of that number from now on."""
    seen = count(1)

    def step(*_: object) -> None:
        if next(seen) == number:
            act()

    sa.event.listen(registry.database._engine, "before_cursor_execute", step)


@pytest.mark.parametrize("statement", [2, 9, 17])
def test_a_connection_lost_in_an_apply_undoes_it(
    postgres: SqlRegistry, postgres_url: str, statement: int
) -> None:
    land(postgres, 1)
    made = next_change(postgres, 2)
    digest = put_forward(postgres, made)
    killer = sa.create_engine(postgres_url)
    others = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def cut() -> None:
        with killer.connect() as connection:
            connection.execute(others)

    before_statement(postgres, statement, cut)
    with pytest.raises(Unavailable, match="what was not committed is undone"):
        apply(postgres.context, digest, made, ADA)
    killer.dispose()
    assert problems(postgres) == []
    assert postgres.published().number == 1
    assert apply(postgres.context, digest, made, ADA).changed


def test_a_full_disk_undoes_an_apply_and_room_mends_it(sqlite: SqlRegistry) -> None:
    land(sqlite, 1)
    with sqlite.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def limit(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine = sqlite.database._engine
    engine.dispose()
    sa.event.listen(engine, "connect", limit)
    with pytest.raises(Unavailable, match="the disk is full"):
        for number in range(2, 50):
            land(sqlite, number)
    sa.event.remove(engine, "connect", limit)
    engine.dispose()
    assert problems(sqlite) == []
    again = next_change(sqlite, 99)
    assert apply(sqlite.context, put_forward(sqlite, again), again, ADA).changed


def test_a_clock_that_jumps_back_leaves_history_in_order(sqlite: SqlRegistry) -> None:
    def at(instant: datetime) -> SqlRegistry:
        return replace(sqlite, context=replace(sqlite.context, clock=FixedClock(instant)))

    land(at(NOON), 1)
    land(at(NOON - timedelta(days=400)), 2)
    land(at(NOON + timedelta(days=1)), 3)
    assert verify_audit(sqlite.context).problems == ()
    with sqlite.context.store.read() as transaction:
        instants = [chained.event.at for chained in transaction.events()]
        then = transaction.published("flights", NOON)
    assert instants == sorted(instants)
    assert then is not None
    assert (then.number, then.at) == (2, NOON)


@pytest.mark.parametrize("damage", ["no database", "cut short", "overwritten"])
def test_a_damaged_file_is_said_to_be_damaged(sqlite: SqlRegistry, damage: str) -> None:
    land(sqlite, 1)
    sqlite.database.close()
    file = Path(str(sqlite.database._engine.url.database))
    whole = file.read_bytes()
    half = len(whole) // 2
    spoiled = {
        "no database": b"this is no database, whatever it is called\n" * 100,
        "cut short": whole[: half + 100],
        "overwritten": whole[:4096] + b"\xaa" * (len(whole) - 4096),
    }
    file.write_bytes(spoiled[damage])
    with pytest.raises(Corrupt, match="damaged, or no database"):
        open_database(f"sqlite:///{file}").close()


def test_a_file_that_may_only_be_read_is_read_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = opened(tmp_path, "")
    land(first, 1)
    first.database.close()
    file = tmp_path / ".fieldhouse" / "registry.db"
    registry = open_registry(_settings(tmp_path, f"sqlite:///file:{file}?mode=ro&uri=true"))
    assert registry.published().number == 1
    with pytest.raises(Unavailable, match="may not be written"):
        land(registry, 2)
    assert problems(registry) == []
    registry.database.close()
    assert [one.name for one in tmp_path.iterdir()] == [".fieldhouse"]


def _settings(home: Path, url: str) -> Settings:
    return Settings(home, None, {"project": {"namespace": "flights"}, "registry": {"url": url}}, {})


def fieldhouse(folder: Path, *words: str, **limits: Any) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    environment = {**kept, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [str(COMMAND), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, **limits
    )


def test_a_command_says_it_in_one_message_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / ".fieldhouse").mkdir()
    (tmp_path / ".fieldhouse" / "registry.db").write_text("no database\n" * 100)
    said = fieldhouse(tmp_path, "show")
    assert (said.returncode, said.stdout) == (1, "")
    assert "is damaged, or no database" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_registry_of_a_newer_fieldhouse_is_left_alone(sqlite: SqlRegistry) -> None:
    land(sqlite, 1)
    sqlite.database.close()
    file = Path(str(sqlite.database._engine.url.database))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    said = fieldhouse(file.parent.parent, "show")
    assert said.returncode == 1
    assert "written by a newer Fieldhouse" in said.stderr
    assert "upgrade Fieldhouse" in said.stderr


def test_a_disk_with_no_room_for_a_registry_is_said_to_have_none(tmp_path: Path) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))

    (tmp_path / "fieldhouse.toml").write_text("")
    said = fieldhouse(tmp_path, "show", preexec_fn=little)
    assert said.returncode == 1
    assert "the registry database" in said.stderr
    assert "Traceback" not in said.stderr
    assert fieldhouse(tmp_path, "show").returncode == 0
