"""The project that the examination plays in: the real flights, a registry, and the real commands.

All in one folder of its own. Every command runs in a process of its own, as a person would run it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from bench.duplicates.tables import COPIES, RENAMED

ROOT: Final = Path(__file__).resolve().parents[2]
NOW: Final = "2013-11-27T21:30:00Z"
VALUES: Final = "FIELDHOUSE_DUPLICATES_VALUES"
KNOWN, NEW = "flights", "newcomers"
_TOML = f"""[project]
namespace = "{KNOWN}"
[clock]
instant = "{NOW}"
[feast]
sync = false
[warehouse]
root = "warehouse"
"""
# Sums a day of each carrier, route and plane: another source that holds the same facts.
_DAYS = """
    SELECT carrier, origin, dest, tailnum, date_trunc('day', outcome_known_at) AS day,
           COUNT(*) AS n_flights, SUM(arr_delay)::BIGINT AS sum_arr_delay,
           COUNT(arr_delay) AS n_landed, SUM(dep_delay)::BIGINT AS sum_dep_delay,
           COUNT(dep_delay) AS n_departed, SUM(distance)::BIGINT AS sum_distance,
           SUM(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END)::BIGINT AS n_late_15,
           SUM(CASE WHEN cancelled THEN 1 ELSE 0 END)::BIGINT AS n_cancelled,
           MAX(arr_delay) AS max_arr_delay, MAX(dep_delay) AS max_dep_delay
    FROM flights GROUP BY ALL
"""


class CommandFailed(Exception):
    """A command ended with a code that says neither done nor refused."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `fieldhouse.toml`, `warehouse/` and a registry of its own."""

    folder: Path

    def run(
        self, *words: str, settings: Mapping[str, str] | None = None, may_refuse: bool = False
    ) -> str:
        """What the command printed; `settings` go by environment. Raises `CommandFailed`."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
        environ = {**clean, "PYTHONPATH": str(ROOT), **(settings or {})}
        command = [sys.executable, "-m", "fieldhouse", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode > may_refuse:
            raise CommandFailed(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def check(
        self, folder: Path, settings: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """The findings of `fieldhouse check` on definitions of another team's namespace."""
        said = self.run(
            "check", str(folder), "--json",
            settings={"FIELDHOUSE_PROJECT_NAMESPACE": NEW, **(settings or {})}, may_refuse=True,
        )  # fmt: skip
        document = json.loads(said)
        if "findings" not in document:
            raise CommandFailed(f"check {folder}: {said[-2000:]}")
        findings: list[dict[str, Any]] = document["findings"]
        return findings

    def forget_registry(self) -> None:
        """Begin anew; what queries gave is kept."""
        home = self.folder / ".fieldhouse"
        for file in home.glob("registry.db*"):
            file.unlink()
        for name in ("audit", "keys"):
            shutil.rmtree(home / name, ignore_errors=True)

    def land(self, repository: Path) -> None:
        """Take definitions through review into the registry, and sketch them."""
        admin = self.run("token", "create", "root", "--role", "admin").strip()

        def token(name: str, role: str) -> str:
            made = self.run("token", "create", name, "--role", role, "--token", admin)
            return made.strip()

        author, steward, operator = (
            token(n, r) for n, r in (("ada", "author"), ("bob", "steward"), ("ci", "operator"))
        )
        here = {"FIELDHOUSE_PROJECT_REPOSITORY": str(repository), VALUES: "false"}
        said = self.run("propose", "--token", author, settings=here)
        digest = said.split()[0]
        self.run("approve", digest, "--token", steward, settings=here)
        self.run("apply", digest, "--token", operator, settings=here)
        self.run("duplicates", "--refresh", settings={**here, VALUES: "true"})


def make_project(folder: Path, warehouse: Path) -> Project:
    """An empty project over the real tables of `warehouse`, with copies of them beside."""
    tables = folder / "warehouse"
    tables.mkdir(parents=True)
    write_tables(warehouse, tables)
    (folder / "fieldhouse.toml").write_text(_TOML)
    return Project(folder)


def variant_project(project: Project, name: str, rules: Mapping[str, str]) -> Project:
    """Another folder over the same registry and tables, with rules of other severities."""
    folder = project.folder / name
    folder.mkdir(exist_ok=True)
    said = "".join(f'{rule} = "{severity}"\n' for rule, severity in rules.items())
    text = _TOML.replace('root = "warehouse"', f'root = "{project.folder / "warehouse"}"')
    text = text.replace("[project]\n", f'[project]\nhome = "{project.folder / ".fieldhouse"}"\n')
    (folder / "fieldhouse.toml").write_text(f"{text}[rules]\n{said}")
    return Project(folder)


def write_tables(warehouse: Path, tables: Path) -> None:
    """The real tables and, beside them, copies and sums of them under other names."""
    for file in sorted(warehouse.glob("*.parquet")):
        shutil.copy(file, tables / file.name)
    with connect(tables) as connection:
        for name, query in _extra_tables().items():
            target = tables / f"{name}.parquet"
            connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def _extra_tables() -> dict[str, str]:
    copies = {name: f"SELECT * FROM {table}" for table, name in COPIES.items()}
    renamed = {
        name: f"SELECT * RENAME ({_renames(columns)}) FROM {table}"
        for table, (name, columns) in RENAMED.items()
    }
    return {**copies, **renamed, "flight_days": _DAYS}


def _renames(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{old} AS {new}" for old, new in columns.items())


def connect(tables: Path, files: Iterable[Path] | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB over the Parquet files of a folder, each a view, in UTC."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for file in files or sorted(tables.glob("*.parquet")):
        connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
    return connection
