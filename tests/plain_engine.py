"""A second engine in one file: the loops of `InMemoryEngine`, and Polars for what is asked in SQL.

It shows that the port asks for nothing that only DuckDB can do. Whoever adds an engine adds it to
`ENGINES` and has the behaviour suite say what is missing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars
import pyarrow as pa

from registry.core.definitions import Source
from registry.kernel.errors import Invalid, NotFound
from tests.warehouses import duckdb_engine
from warehouse.engines.port import Engine
from warehouse.testing import InMemoryEngine

_PLAIN = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
_CLOCK = re.compile(r"\b(now|today|current_date|current_timestamp|random)\b", re.IGNORECASE)
_NO_TABLE = re.compile(r"relation '(.*)' was not found")


@dataclass(frozen=True, slots=True)
class PlainEngine(InMemoryEngine):
    """Tables in a dict, joined by loops, queried by Polars."""

    name: str = "plain"

    def query(self, sql: str) -> pa.Table:
        if not re.match(r"\s*(select|with)\b", sql, re.IGNORECASE) or ";" in sql.rstrip("; \n"):
            raise Invalid("a query over the warehouse must be one SELECT", sql)
        tables = {name: polars.from_arrow(table) for name, table in self.content.items()}
        try:
            with polars.SQLContext(tables) as context:
                found = context.execute(sql, eager=True).to_arrow()
        except polars.exceptions.PolarsError as error:
            missing = _NO_TABLE.search(str(error))
            if missing:
                raise NotFound("warehouse table", missing[1], self.content) from error
            raise Invalid("cannot run a query over the warehouse", str(error)) from error
        return found.cast(
            pa.schema([f.with_type(_PLAIN.get(f.type, f.type)) for f in found.schema])
        )

    @contextmanager
    def read_query(self, sql: str) -> Iterator[pa.RecordBatchReader]:
        yield self.query(sql).to_reader()

    def mark(self, source: Source) -> str | None:
        if source.kind == "sql" and _CLOCK.search(source.query or ""):
            return None
        return InMemoryEngine.mark(self, source)

    def pinned(self, files: Mapping[Source, Path]) -> "PlainEngine":
        return replace(self, pins={**self.pins, **files})

    def _table(self, source: Source) -> pa.Table:
        if source.kind == "sql" and source not in self.pins:
            return self.query(source.query or "")
        return InMemoryEngine._table(self, source)


def plain_engine(folder: Path, tables: Mapping[str, pa.Table], zone: str = "UTC") -> PlainEngine:
    """A plain engine over the tables; `folder` is not used."""
    return PlainEngine(dict(tables), zone)


Make = Callable[..., Engine]
ENGINES: dict[str, Make] = {"duckdb": duckdb_engine, "plain": plain_engine}
