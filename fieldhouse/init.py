"""`fieldhouse init`: a small working project from a file of the user's. Reads and writes files."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from fieldhouse.guesses import Column, Roles, assign_roles, clean_names, module_name
from fieldhouse.scaffold import Plan, project_files, things_to_fill_in
from registry.kernel.errors import Invalid, Misuse
from registry.kernel.settings import FILE_NAME
from warehouse.engines.duckdb_sql import literal, quote

_READERS = {".parquet": "read_parquet", ".pq": "read_parquet", ".csv": "read_csv"}
_TYPES = (
    (r"BOOLEAN", "bool", None),
    (r"TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT", "int32", "INTEGER"),
    (r"BIGINT|UINTEGER", "int64", "BIGINT"),
    (r"FLOAT", "float32", None),
    (r"DOUBLE|DECIMAL.*|HUGEINT|UBIGINT|UHUGEINT", "float64", "DOUBLE"),
    (r"VARCHAR|UUID|ENUM.*", "string", "VARCHAR"),
    (r"BLOB", "bytes", None),
    (r"TIMESTAMP.*|DATE", "timestamp", "TIMESTAMPTZ"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What was made. Paths in `files` are relative to `folder`."""

    folder: str
    files: tuple[str, ...]
    table: str
    rows: int
    entity: str
    time: str
    created: str | None
    features: tuple[str, ...]
    left_out: tuple[str, ...]
    fill_in: tuple[str, ...]
    advice: tuple[str, ...]


def make_project(
    folder: Path, data: Path, entity: str | None, time: str | None, name: str | None
) -> Made:
    """Write a project into `folder` from the Parquet or CSV file `data`.

    Times without a zone are read as UTC. Raises `Misuse` when the file is missing or of another
    kind, when the folder holds a project, or when roles cannot be told; `Invalid` when the file
    cannot be read.
    """
    relation = _relation(data)
    _make_sure_it_is_new(folder)
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            columns, casts, rows = _columns(connection, relation)
            roles = assign_roles(columns, rows, entity, time)
            newest = _newest(connection, relation, roles.time)
            table = module_name(name or data.stem)
            plan = Plan(clean_names([folder.resolve().name])[0], table, data.name, roles, newest)
            copy = folder / "warehouse_data" / f"{table}.parquet"
            copy.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(_copy_sql(relation, roles, casts, copy))
        except duckdb.Error as error:
            raise Invalid(f"cannot read {data}", str(error)) from error
    files = project_files(plan)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return _made(folder, plan, rows, sorted([*files, str(copy.relative_to(folder))]))


def _relation(data: Path) -> str:
    reader = _READERS.get(data.suffix.lower())
    if reader is None:
        raise Misuse(f"--data {data} is neither Parquet nor CSV", hint="name it .parquet or .csv")
    if not data.is_file():
        raise Misuse(f"--data {data} is not a file")
    return f"{reader}({literal(str(data.resolve()))})"


def _make_sure_it_is_new(folder: Path) -> None:
    for name in (FILE_NAME, "feature_repo"):
        if (folder / name).exists():
            raise Misuse(
                f"{folder} already holds a project", f"found {name}", "choose another folder"
            )


def _columns(
    connection: duckdb.DuckDBPyConnection, relation: str
) -> tuple[list[Column], dict[str, str | None], int]:
    """The columns with their counts, how each is cast on its way in, and the number of rows."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    originals = [str(row[0]) for row in described]
    counts = ", ".join(
        f"approx_count_distinct({quote(o)}), count(*) - count({quote(o)})" for o in originals
    )
    answer: Any = connection.execute(f"SELECT count(*), {counts} FROM {relation}").fetchone()
    if answer[0] == 0:
        raise Invalid("the file has no rows", hint="a project is made from what the rows look like")
    columns, casts = [], {}
    names = clean_names(originals)
    for place, (original, duck, *_) in enumerate(described):
        dtype, cast = _feature_type(str(duck))
        distinct, nulls = int(answer[1 + 2 * place]), int(answer[2 + 2 * place])
        columns.append(Column(names[place], str(original), dtype, distinct, nulls))
        casts[str(original)] = cast
    return columns, casts, int(answer[0])


def _feature_type(duck: str) -> tuple[str | None, str | None]:
    """The feature type that carries a DuckDB type, and the type to cast to; None and None: none."""
    for pattern, dtype, cast in _TYPES:
        if re.fullmatch(pattern, duck):
            return dtype, cast
    return None, None


def _newest(connection: duckdb.DuckDBPyConnection, relation: str, time: Column) -> datetime:
    column = quote(time.original)
    answer: Any = connection.execute(
        f"SELECT epoch_us(max({column}::TIMESTAMPTZ)) FROM {relation}"
    ).fetchone()
    if answer[0] is None:
        raise Misuse(f"column {time.original!r} is empty, so it cannot be the event time")
    newest = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=answer[0])
    return newest.replace(microsecond=0) + timedelta(seconds=1)


def _copy_sql(relation: str, roles: Roles, casts: dict[str, str | None], copy: Path) -> str:
    kept = [roles.entity, roles.time, *([roles.created] if roles.created else []), *roles.features]
    selected = ", ".join(
        f"{_cast(quote(c.original), casts[c.original])} AS {quote(c.name)}" for c in kept
    )
    target = literal(str(copy.resolve()))
    return f"COPY (SELECT {selected} FROM {relation}) TO {target} (FORMAT parquet)"


def _cast(column: str, to: str | None) -> str:
    return column if to is None else f"{column}::{to}"


def _made(folder: Path, plan: Plan, rows: int, files: list[str]) -> Made:
    roles = plan.roles
    fill_in = tuple(things_to_fill_in(plan))
    return Made(
        folder=str(folder),
        files=tuple(files),
        table=plan.table,
        rows=rows,
        entity=roles.entity.name,
        time=roles.time.name,
        created=roles.created.name if roles.created else None,
        features=tuple(column.name for column in roles.features),
        left_out=tuple(column.original for column in roles.left_out),
        fill_in=fill_in,
        advice=(*_advice(roles, rows), "fill in:", *(f"  {line}" for line in fill_in)),
    )


def _advice(roles: Roles, rows: int) -> list[str]:
    def how(role: str) -> str:
        return f"guessed; --{role} says otherwise" if role in roles.guessed else "as you said"

    said = [
        f"{rows} rows read",
        f"entity key: {roles.entity.name} ({how('entity')})",
        f"event time: {roles.time.name} ({how('time')}); times without a zone are read as UTC",
    ]
    if roles.created:
        said.append(f"created time: {roles.created.name} (guessed): when a row became known")
    for role, column in (("entity key", roles.entity), ("event time", roles.time)):
        if column.nulls:
            said.append(f"{column.nulls} rows have no {role}: they are kept and never found")
    if roles.left_out:
        names = ", ".join(column.original for column in roles.left_out)
        said.append(f"left out, no feature can have their types: {names}")
    renamed = [c for c in (roles.entity, roles.time, *roles.features) if c.name != c.original]
    said += [f"renamed: {column.original!r} is {column.name}" for column in renamed]
    return said
