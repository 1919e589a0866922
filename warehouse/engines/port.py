"""The port: what an engine must answer. No engine's own name or dialect lives here.

What each answer must be is stated in `tests/behaviours/test_engine_behaviours.py`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from registry.core.definitions import Source
from registry.core.published import PublishedView

EVENT_TIME = "__event_time"
CREATED_TIME = "__created_time"
EXPIRED = "__expired"


class Engine(Protocol):
    """Reads the warehouse by logical names. Safe to share between threads."""

    @property
    def name(self) -> str:
        """`duckdb 2.0.1`, say: for manifests."""
        ...

    def schema(self, source: Source) -> pa.Schema:
        """The columns of a source, a query's without running it. Raises `NotFound` (a table,
        with the nearest names), `Invalid` (a query that does not bind)."""
        ...

    def tables(self) -> Mapping[str, pa.Schema]:
        """Every table of the warehouse, by name."""
        ...

    def query(self, sql: str) -> pa.Table:
        """The rows of one SELECT over the warehouse's tables. Raises `Invalid`, `NotFound`, or
        `Refused` for what reads or writes anything else."""
        ...

    def read_query(self, sql: str) -> AbstractContextManager[pa.RecordBatchReader]:
        """The same rows in batches, never all in memory. Raises what `query` does, while the rows
        are read too."""
        ...

    def read(
        self, source: Source, columns: Sequence[str] | None = None
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """The rows of a source as they are, in batches; `columns` are the source's own names.

        Raises, while the rows are read too, `Unavailable` for files that are gone or changed and
        `Invalid` for columns that are not there.
        """
        ...

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
        """The rows of a source whose time is known and lies in [start, end], by its own column
        names; None is no bound, instants without a zone are of UTC.

        With `newest_of` only the row that is newest by the columns `newest_by` (nulls are oldest)
        of each such key, of all rows when it is empty; of equal ones, any.
        """
        ...

    def mark(self, source: Source) -> str | None:
        """A text that is another as soon as what the source gives may be another; None where
        nothing can be said, as of a query that asks for the clock, or of files changed so lately
        that another change might not show. Raises `NotFound`."""
        ...

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
        """One row per spine row, in the spine's order: `features` (Arrow type of their dtype),
        then `EVENT_TIME` and `CREATED_TIME` (timestamp[us, UTC]), all null where nothing was found.

        The rule is in `warehouse.asof`. `with_expired` adds the bool `EXPIRED`: a row was there
        and the ttl left it out. Spine times without a zone are of `warehouse.time_zone`.
        Raises `Misuse` when a join key or the time column is missing, `Invalid` when one is of the
        wrong type, `NotFound` for a feature or column that does not exist.
        """
        ...

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader:
        """The newest row per entity key among rows that became visible in (since, until].

        Columns: join keys, features, `EVENT_TIME`, `CREATED_TIME` (the event time where the source
        says no created time). Rows come in the rising order of their join keys, so that a reader
        who was interrupted can go on behind the last key.
        """
        ...

    def append(self, source: Source, rows: pa.Table, name: str) -> bool:
        """Add rows to the table behind a source, whole or not at all; `name` is what they are
        known by: False, and no change, when rows of that name were added before.

        Raises `Refused` for a query, or a table whose files are fixed; `Invalid` for rows that the
        table cannot take; `Unavailable` when the disk does not.
        """
        ...

    def pinned(self, files: Mapping[Source, Path]) -> "Engine":
        """The same engine, reading each of these sources from one Parquet file instead."""
        ...
