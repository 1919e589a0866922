"""DuckDB as a SQLAlchemy dialect, for libraries that speak to databases through SQLAlchemy alone.

It is PostgreSQL's dialect, whose SQL DuckDB nearly speaks, over Arrow data lent under a key for the
length of a `with`. Nothing is written and nothing outside that data can be read. Rows of an answer
are held by the cursor, because Great Expectations reads them after giving the connection back.
"""

import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import base as postgres
from sqlalchemy.engine import URL, Connection, default
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import TypeEngine

TABLE = "data"
_DRIVER = "fieldhouse"
_lent: dict[str, tuple[duckdb.DuckDBPyConnection, pa.Schema]] = {}

registry.register(f"postgresql.{_DRIVER}", __name__, "LentDialect")


@contextmanager
def lend(data: pa.Table | Path, schema: pa.Schema, names: Mapping[str, str]) -> Iterator[str]:
    """The URL under which an Arrow table or a Parquet file is the table `data`, until the end.

    `names` maps the columns of its `schema` to what they are called there.
    """
    key = uuid.uuid4().hex
    connection = duckdb.connect(":memory:")
    try:
        with tempfile.TemporaryDirectory(prefix="fh-quality-") as spill:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET temp_directory = {_literal(spill)}")
            lent = _lend_to(connection, data)
            chosen = ", ".join(f"{_quote(name)} AS {_quote(new)}" for name, new in names.items())
            connection.execute(f"CREATE TEMP VIEW {TABLE} AS SELECT {chosen} FROM {lent}")
            connection.execute("SET enable_external_access = false")
            _lent[key] = (connection, named(schema.empty_table(), names).schema)
            yield f"postgresql+{_DRIVER}://{key}"
            connection.close()
    finally:
        _lent.pop(key, None)
        connection.close()


def _lend_to(connection: duckdb.DuckDBPyConnection, data: pa.Table | Path) -> str:
    """What to select from: the registered table, or the one file that may be read."""
    if not isinstance(data, Path):
        connection.register("lent", data)
        return "lent"
    path = _literal(str(data.resolve()))
    connection.execute(f"SET allowed_paths = [{path}]")
    return f"read_parquet({path})"


def named(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """The table with its columns called as `names` says."""
    return table.rename_columns([names[name] for name in table.column_names])


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Cursor:
    """A DB-API cursor whose rows outlive its connection."""

    arraysize = 1
    rowcount = -1

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection  # a cursor of DuckDB's would not see what was registered
        self._rows: list[Any] = []
        self.description: Any = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, list(parameters))
        self.description = self._connection.description
        self._rows = self._connection.fetchall()[::-1]

    def fetchone(self) -> Any:
        return self._rows.pop() if self._rows else None

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [self._rows.pop() for _ in range(min(size, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._rows))

    def close(self) -> None: ...


class _Lent:
    """A DB-API connection to what is lent under a key; closing it gives nothing up."""

    def __init__(self, key: str) -> None:
        self._connection, self.schema = _lent[key]

    def cursor(self) -> _Cursor:
        return _Cursor(self._connection)

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class _Module:
    """What SQLAlchemy asks of a DB-API module."""

    paramstyle = "qmark"
    Error = duckdb.Error
    InterfaceError = duckdb.Error
    DatabaseError = duckdb.DatabaseError
    OperationalError = duckdb.OperationalError
    ProgrammingError = duckdb.ProgrammingError
    IntegrityError = duckdb.IntegrityError
    DataError = duckdb.DataError
    InternalError = duckdb.InternalError
    NotSupportedError = duckdb.NotSupportedError

    @staticmethod
    def connect(key: str) -> _Lent:
        return _Lent(key)


class _Compiler(postgres.PGCompiler):
    """PostgreSQL's `~` finds a pattern anywhere; DuckDB's matches the whole."""

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        if operator.opstring in ("~", "!~"):
            left, right = self.process(element.left, **kw), self.process(element.right, **kw)
            found = f"regexp_matches({left}, {right})"
            return found if operator.opstring == "~" else f"NOT {found}"
        return str(super().visit_custom_op_binary(element, operator, **kw))  # type: ignore[no-untyped-call]


class _Preparer(postgres.PGIdentifierPreparer):
    """Quotes every name: words that DuckDB reserves are not those that PostgreSQL does."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class LentDialect(postgres.PGDialect):
    """Reflects one table, from its Arrow schema."""

    driver = _DRIVER
    preparer = _Preparer
    default_paramstyle = "qmark"
    supports_statement_cache = True
    statement_compiler = _Compiler

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Module

    def create_connect_args(self, url: URL) -> Any:
        return [url.host], {}

    def initialize(self, connection: Connection) -> None:
        default.DefaultDialect.initialize(self, connection)
        self._backslash_escapes = False

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return (16,)

    def _get_default_schema_name(self, connection: Any) -> str:
        return "main"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "SERIALIZABLE"

    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        return ["main"]

    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return [TABLE]

    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return []

    def has_table(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        return table_name == TABLE

    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedColumn]:
        fields: pa.Schema = connection.connection.dbapi_connection.schema
        return [
            {"name": field.name, "type": _sql_type(field.type), "nullable": True, "default": None}
            for field in fields
        ]


def _sql_type(arrow: pa.DataType) -> TypeEngine[Any]:
    for test, found in _TYPES:
        if test(arrow):
            return found
    return sa.types.NullType()


_TYPES: tuple[tuple[Any, TypeEngine[Any]], ...] = (
    (pa.types.is_boolean, sa.BOOLEAN()),
    (pa.types.is_int64, sa.BIGINT()),
    (pa.types.is_integer, sa.INTEGER()),
    (pa.types.is_float64, sa.DOUBLE_PRECISION()),
    (pa.types.is_floating, sa.REAL()),
    (pa.types.is_decimal, sa.NUMERIC()),
    (pa.types.is_timestamp, postgres.TIMESTAMP(timezone=True)),
    (pa.types.is_date, sa.DATE()),
    (pa.types.is_string, sa.TEXT()),
    (pa.types.is_large_string, sa.TEXT()),
)
