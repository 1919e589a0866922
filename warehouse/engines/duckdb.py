"""DuckDB as an engine: runs the texts of `warehouse.sql`, turns their answers into Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.types import arrow_type
from warehouse import sql
from warehouse.asof import AsOfPlan, plan_as_of
from warehouse.catalog import Catalog
from warehouse.engines.duckdb_errors import translated
from warehouse.engines.duckdb_queries import check_query, tables_read
from warehouse.engines.matches import Matches, assemble
from warehouse.engines.port import CREATED_TIME, EVENT_TIME
from warehouse.engines.spines import check_spine, ready_spine
from warehouse.history import HistoryColumn
from warehouse.instants import instants_of, ticks_of

Connection = duckdb.DuckDBPyConnection
BATCH_ROWS = 122_880  # DuckDB's own row group


@dataclass(frozen=True, slots=True)
class DuckDBEngine:
    """The port over one DuckDB in memory. Each call works in a cursor of its own, whose temporary
    tables vanish with it."""

    connection: Connection
    catalog: Catalog
    time_zone: str = "UTC"
    pins: Mapping[Source, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"duckdb {duckdb.__version__}"

    def pinned(self, files: Mapping[Source, Path]) -> "DuckDBEngine":
        return replace(self, pins={**self.pins, **files})

    def tables(self) -> Mapping[str, pa.Schema]:
        return {name: self._file_schema(self.catalog.files(name)) for name in self.catalog.names()}

    def schema(self, source: Source) -> pa.Schema:
        with self._cursor(f"read the columns of source {source.name!r}") as cursor:
            files = self._files(source)
            if files is not None:
                return _schema(cursor, f"SELECT * FROM {sql.parquet_text(files)}")
            return _schema(cursor, self._prepared(cursor, source.query or ""))

    def query(self, sql_text: str) -> pa.Table:
        with self._cursor("run a query over the warehouse") as cursor:
            return cursor.sql(self._prepared(cursor, sql_text)).to_arrow_table()

    @contextmanager
    def read(
        self, source: Source, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatchReader]:
        chosen = ", ".join(map(sql.quote, columns)) if columns is not None else "*"
        with self._cursor(f"read source {source.name!r}") as cursor:
            files = self._files(source)
            text = (
                sql.parquet_text(files)
                if files is not None
                else f"({self._prepared(cursor, source.query or '')})"
            )
            yield cursor.sql(f"SELECT {chosen} FROM {text}").to_arrow_reader(BATCH_ROWS)

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
            relation = self._relation(cursor, view.source.history)
            time = spine.schema.field(time_column).type
            plan = plan_as_of(view, features, relation.schema, time, as_of)
            _load_history(cursor, plan, relation)
            ready = ready_spine(spine, time_column, plan.history.keys, plan, self.time_zone)
            found = _match(cursor, plan, ready)
            payload = _fetch(cursor, plan, relation, found)
            return assemble(found, payload, plan, with_expired)

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader:
        asked = f"read the newest rows of view {view.key!r}"
        with ExitStack() as stack:
            cursor = stack.enter_context(self._cursor(asked))
            relation = self._relation(cursor, view.source.history)
            names = [feature.name for feature in view.features]
            plan = plan_as_of(view, names, relation.schema)
            _load_history(cursor, plan, relation)
            start = None if since is None else ticks_of(since, plan.unit)
            cursor.execute(sql.newest(plan, start, ticks_of(until, plan.unit)))
            columns = (*plan.history.keys, *plan.features)
            text = sql.fetch_newest(relation, columns, len(plan.history.keys))
            found = cursor.sql(text).to_arrow_reader(BATCH_ROWS)
            return _as_reader(found, columns, plan, stack.pop_all())

    @contextmanager
    def _cursor(self, asked: str) -> Iterator[Connection]:
        cursor = self.connection.cursor()
        try:
            with translated(asked, self.catalog.names()):
                cursor.execute("SET TimeZone = 'UTC'")
                yield cursor
        finally:
            cursor.close()

    def _files(self, source: Source) -> tuple[str, ...] | None:
        """The Parquet files that hold a source; None for a query that has not been kept."""
        if source in self.pins:
            return (str(self.pins[source]),)
        return self.catalog.files(source.table or source.name) if source.kind != "sql" else None

    def _file_schema(self, files: Sequence[str]) -> pa.Schema:
        with self._cursor(f"read the columns of {files[0]}") as cursor:
            return _schema(cursor, f"SELECT * FROM {sql.parquet_text(files)}")

    def _relation(self, cursor: Connection, source: Source) -> sql.Relation:
        files = self._files(source)
        if files is not None:
            schema = _schema(cursor, f"SELECT * FROM {sql.parquet_text(files)}")
            return sql.parquet_relation(files, schema, self.time_zone)
        cursor.execute(sql.keep_query(self._prepared(cursor, source.query or "")))
        schema = _schema(cursor, f"SELECT * FROM {sql.SOURCE}")
        return sql.table_relation(schema, self.time_zone)

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


def _match(cursor: Connection, plan: AsOfPlan, ready: pa.Table) -> Matches:
    cursor.register(sql.SPINE, ready)
    visible = sql.HISTORY
    if plan.history.created is not None:
        cursor.execute(sql.make_visible(plan))
        visible = sql.VISIBLE
    found = cursor.sql(sql.match(plan, visible)).to_arrow_table()
    return Matches.of(found, ready.num_rows)


def _fetch(
    cursor: Connection, plan: AsOfPlan, relation: sql.Relation, found: Matches
) -> pa.Table | None:
    if not plan.features:
        return None
    cursor.register(sql.WANTED, found.wanted())
    return cursor.sql(sql.fetch(relation, plan.features)).to_arrow_table()


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
