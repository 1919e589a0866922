"""DuckDB as an engine: runs its texts, turns their answers into Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Timer

import duckdb
import pyarrow as pa

from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.errors import Refused
from registry.kernel.types import arrow_type
from warehouse.appends import append
from warehouse.asof import AsOfPlan, plan_as_of
from warehouse.catalog import Catalog
from warehouse.engines import duckdb_sql as sql
from warehouse.engines.duckdb_errors import told, translated
from warehouse.engines.duckdb_history import DuckDBHistory
from warehouse.engines.duckdb_join import SCAN_ROWS, DuckDBJoin
from warehouse.engines.duckdb_queries import check_query, is_settled, tables_read
from warehouse.engines.duckdb_rows import rows_between
from warehouse.engines.matches import assemble
from warehouse.engines.parquet_groups import unchanged
from warehouse.engines.port import CREATED_TIME, EVENT_TIME
from warehouse.engines.spines import check_spine, ready_spine
from warehouse.engines.time_order import TimeOrder
from warehouse.evaluated import EvaluatedQueries, lasting_mark, mark_of
from warehouse.history import HistoryColumn
from warehouse.instants import instants_of, ticks_of

Connection = duckdb.DuckDBPyConnection
BATCH_ROWS = 122_880  # DuckDB's own row group


@dataclass(frozen=True, slots=True)
class DuckDBEngine:
    """The port over one DuckDB in memory. Each call works in a cursor of its own, whose temporary
    tables vanish with it; one that takes longer than `seconds`, if any, is interrupted."""

    connection: Connection
    catalog: Catalog
    evaluated: EvaluatedQueries
    time_zone: str = "UTC"
    pins: Mapping[Source, Path] = field(default_factory=dict)
    threads: int = 1
    scan_rows: int = SCAN_ROWS
    seconds: float = 0.0
    known: TimeOrder = field(default_factory=TimeOrder, compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"duckdb {duckdb.__version__}"

    def pinned(self, files: Mapping[Source, Path]) -> "DuckDBEngine":
        return replace(self, pins={**self.pins, **files})

    def tables(self) -> Mapping[str, pa.Schema]:
        return {name: self._file_schema(self.catalog.files(name)) for name in self.catalog.names()}

    def schema(self, source: Source) -> pa.Schema:
        with self._cursor(f"read the columns of source {source.name!r}") as cursor:
            if source.kind == "sql" and source not in self.pins:
                return _schema(cursor, self._prepared(cursor, source.query or ""))
            return _schema(cursor, f"SELECT * FROM {sql.parquet_text(self._files(source))}")

    def query(self, sql_text: str) -> pa.Table:
        with self._cursor("run a query over the warehouse") as cursor:
            return cursor.sql(self._prepared(cursor, sql_text)).to_arrow_table()

    @contextmanager
    def read_query(self, sql_text: str) -> Iterator[pa.RecordBatchReader]:
        asked = "run a query over the warehouse"
        with self._cursor(asked) as cursor:
            found = cursor.sql(self._prepared(cursor, sql_text)).to_arrow_reader(BATCH_ROWS)
            yield told(found, asked)

    def rows_between(
        self,
        source: Source,
        columns: Sequence[str],
        time_column: str,
        start: datetime | None,
        end: datetime | None,
        *,
        newest_of: Sequence[str] | None = None,
        newest_by: Sequence[str] = (),
    ) -> pa.Table:
        with self._cursor(f"read rows of source {source.name!r}") as cursor:
            rows = sql.parquet_text(self._files(source))
            text = rows_between(rows, columns, time_column, start, end, newest_of, newest_by)
            return cursor.sql(text).to_arrow_table()

    def mark(self, source: Source) -> str | None:
        if source in self.pins:
            return str(self.pins[source])
        with self._cursor(f"look for the files of source {source.name!r}"):
            if source.kind != "sql":
                return lasting_mark(self.name, "", self.catalog.files(source.table or source.name))
            query = check_query(source.query or "")
            if not is_settled(query):
                return None
            return lasting_mark(self.name, query, self._files_read(query))

    @contextmanager
    def read(
        self, source: Source, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatchReader]:
        chosen = ", ".join(map(sql.quote, columns)) if columns is not None else "*"
        asked = f"read source {source.name!r}"
        with self._cursor(asked) as cursor:
            text = sql.parquet_text(self._files(source))
            yield told(
                cursor.sql(f"SELECT {chosen} FROM {text}").to_arrow_reader(BATCH_ROWS), asked
            )

    def as_of(
        self,
        spine: pa.Table,
        time_column: str,
        view: PublishedView,
        features: Sequence[str],
        *,
        as_of: datetime | None = None,
        with_expired: bool = False,
    ) -> pa.Table:
        check_spine(spine, time_column, view)
        with self._cursor(f"join view {view.key!r} at each row's time") as cursor:
            files = self._files(view.source.history)
            with unchanged(files):
                relation = self._relation(cursor, files)
                time = spine.schema.field(time_column).type
                plan = plan_as_of(view, features, relation.schema, time, as_of)
                history = DuckDBHistory(cursor, plan, relation)
                join = DuckDBJoin(history, files, self.scan_rows, self.known)
                ready = ready_spine(spine, time_column, plan.history.keys, plan, self.time_zone)
                with ThreadPoolExecutor(self.threads) as pool:
                    found = join.match(ready, with_expired, pool)
                    return assemble(found, join.fetch(found, pool), plan, with_expired)

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader:
        asked = f"read the newest rows of view {view.key!r}"
        with ExitStack() as stack:
            cursor = stack.enter_context(self._cursor(asked))
            relation = self._relation(cursor, self._files(view.source.history))
            names = [feature.name for feature in view.features]
            plan = plan_as_of(view, names, relation.schema)
            _load_history(cursor, plan, relation)
            start = None if since is None else ticks_of(since, plan.unit)
            cursor.execute(sql.newest(plan, start, ticks_of(until, plan.unit)))
            columns = (*plan.history.keys, *plan.features)
            text = sql.fetch_newest(relation, columns, len(plan.history.keys))
            found = cursor.sql(text).to_arrow_reader(BATCH_ROWS)
            return _as_reader(found, columns, plan, stack.pop_all())

    def append(self, source: Source, rows: pa.Table, name: str) -> bool:
        if source.kind == "sql":
            raise Refused(f"rows cannot be added to source {source.name!r}", "it is a query")
        return append(self.catalog, source.table or source.name, rows, name)

    @contextmanager
    def _cursor(self, asked: str) -> Iterator[Connection]:
        cursor = self.connection.cursor()
        timer = Timer(self.seconds, cursor.interrupt) if self.seconds else None
        try:
            if timer is not None:
                timer.start()
            with translated(asked, self.catalog.names()):
                cursor.execute("SET TimeZone = 'UTC'")
                yield cursor
        finally:
            if timer is not None:
                timer.cancel()
            cursor.close()

    def _files(self, source: Source) -> tuple[str, ...]:
        """The Parquet files that hold a source; a query is evaluated, unless it has been."""
        if source in self.pins:
            return (str(self.pins[source]),)
        if source.kind != "sql":
            return self.catalog.files(source.table or source.name)
        query = source.query or ""
        mark = self._query_mark(query)
        return (str(self.evaluated.keep(mark, partial(self._evaluate, query))),)

    def _query_mark(self, query: str) -> str | None:
        checked = check_query(query)
        if not is_settled(checked):
            return None
        return mark_of(self.name, checked, self._files_read(checked))

    def _files_read(self, query: str) -> Sequence[str]:
        return [file for table in tables_read(query) for file in self.catalog.files(table)]

    @contextmanager
    def _evaluate(self, query: str) -> Iterator[pa.RecordBatchReader]:
        with self._cursor("evaluate a source's query") as cursor:
            found = cursor.sql(self._prepared(cursor, query)).to_arrow_reader(BATCH_ROWS)
            yield told(found, "evaluate a source's query")

    def _file_schema(self, files: Sequence[str]) -> pa.Schema:
        with self._cursor(f"read the columns of {files[0]}") as cursor:
            return _schema(cursor, f"SELECT * FROM {sql.parquet_text(files)}")

    def _relation(self, cursor: Connection, files: Sequence[str]) -> sql.Relation:
        schema = _schema(cursor, f"SELECT * FROM {sql.parquet_text(files)}")
        return sql.parquet_relation(files, schema, self.time_zone)

    def _prepared(self, cursor: Connection, query: str) -> str:
        """The query, checked, with a view for each table that it reads."""
        checked = check_query(query)
        for table in tables_read(checked):
            files = self.catalog.files(table)
            cursor.execute(
                f"CREATE OR REPLACE TEMP VIEW {sql.quote(table)} AS "
                f"SELECT * FROM {sql.parquet_text(files)}"
            )
        return checked


def _schema(cursor: Connection, query: str) -> pa.Schema:
    return cursor.sql(f"SELECT * FROM ({query}) LIMIT 0").to_arrow_table().schema


def _load_history(cursor: Connection, plan: AsOfPlan, relation: sql.Relation) -> None:
    """Fill the history table and settle ties, which cost nothing where there are none."""
    cursor.execute(sql.make_history(plan, relation))
    if cursor.execute(sql.find_tie(plan)).fetchone() is not None:
        cursor.execute(sql.keep_tied(plan, relation))
        cursor.execute(sql.drop_losers())


def _as_reader(
    found: pa.RecordBatchReader,
    columns: Sequence[HistoryColumn],
    plan: AsOfPlan,
    resources: ExitStack,
) -> pa.RecordBatchReader:
    """Batches as they come, so that memory stays bounded; lets go of `resources` after the last."""
    types = [arrow_type(column.dtype) for column in columns]
    names = [*(column.name for column in columns), EVENT_TIME, CREATED_TIME]
    instant = arrow_type("timestamp")
    schema = pa.schema(zip(names, [*types, instant, instant], strict=True))

    def batches() -> Iterator[pa.RecordBatch]:
        with resources:
            for batch in found:
                arrays = [batch.column(f"v{i}").cast(wanted) for i, wanted in enumerate(types)]
                for name in ("event", "created"):
                    arrays.append(instants_of(batch.column(name), plan.unit))
                yield pa.record_batch(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
