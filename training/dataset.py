"""A training set as its user holds it: the manifest, and the data in the form asked for."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Corrupt, Misuse, NotFound
from training.manifest import Manifest, digest_of, from_json
from training.splits import rows_of

if TYPE_CHECKING:
    import pandas as pd

    from training.explain import Explanation

DATA = "data.parquet"
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"


@dataclass(frozen=True)
class TrainingSet:
    """One immutable training set, or, after `split`, one part of it.

    `digest` is the manifest's. Columns are the spine's own, then the features; rows stand in the
    spine's order.
    """

    folder: Path
    manifest: Manifest
    digest: str
    part: str | None = None

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def label(self) -> str | None:
        """The label's column, when one was named."""
        return self.manifest.label

    @property
    def feature_names(self) -> list[str]:
        """The columns that features fill, in order."""
        return [column.name for column in self.manifest.features]

    @property
    def split_names(self) -> tuple[str, ...]:
        return self.manifest.splits.names if self.manifest.splits else ()

    @property
    def rows(self) -> int:
        if self.part is None:
            return self.manifest.rows
        return sum(batch.num_rows for batch in self.batches())

    @property
    def data(self) -> Path:
        """The Parquet file that holds all rows."""
        return self.folder / DATA

    @property
    def schema(self) -> pa.Schema:
        """The columns and their Arrow types."""
        with reading(self.manifest.name):
            return pq.read_schema(self.data)

    @property
    def split_columns(self) -> tuple[str, ...]:
        """The columns that say which part a row belongs to; none for a whole set."""
        splits = self.manifest.splits
        if self.part is None or splits is None:
            return ()
        if splits.by_time is None:
            return (splits.by_group.column,) if splits.by_group else ()
        known = splits.by_time.known_column
        return (self.manifest.recipe.spec.time_column, *([known] if known else ()))

    def keep(self, table: pa.Table) -> pa.Table:
        """The rows of this part among some rows of the set that have `split_columns`."""
        if self.part is None or self.manifest.splits is None:
            return table
        spec = self.manifest.recipe.spec
        return rows_of(table, self.part, spec.time_column, self.manifest.splits, spec.time_zone)

    def split(self, name: str) -> "TrainingSet":
        """One part of the split declared at build; raises `NotFound` for a part there is not."""
        if name not in self.split_names:
            raise NotFound(f"part of training set {self.name!r}:", name, self.split_names)
        return replace(self, part=name)

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table. Raises `Corrupt` when the file is not the one written."""
        return self._table

    def batches(self, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most `rows` at a time, read from the file as they are asked for."""
        with reading(self.manifest.name), pq.ParquetFile(self.data) as file:
            for batch in file.iter_batches(batch_size=rows):
                kept = self.keep(pa.Table.from_batches([batch]))
                yield from kept.to_batches() if self.part is not None else (batch,)

    def row(self, number: int) -> pa.Table:
        """One row, counted from 0, of which no more is read than its row group and, of a part,
        those before it. Raises `Misuse` for a row that is not there."""
        start = 0
        with reading(self.manifest.name), pq.ParquetFile(self.data) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if self.part is not None or start <= number < start + rows:
                    kept = self.keep(file.read_row_group(group))
                    if start <= number < start + kept.num_rows:
                        return kept.slice(number - start, 1)
                    rows = kept.num_rows
                start += rows
        raise Misuse(f"there is no row {number}", f"rows are 0 to {start - 1}")

    def to_pandas(self) -> "pd.DataFrame":
        """All rows as a pandas frame with pandas' default types (whole numbers with nulls become
        floats; use `to_arrow` where that matters)."""
        return self._table.to_pandas()

    def to_polars(self) -> Any:
        """All rows as a Polars frame; raises `Misuse` when Polars is not installed."""
        try:
            import polars
        except ImportError as error:
            raise Misuse(
                "to_polars needs Polars", hint="pip install 'fieldhouse[polars]'"
            ) from error
        return polars.from_arrow(self._table)

    def to_duckdb(self, connection: Any = None) -> Any:
        """The rows as a DuckDB relation, a whole set's read as it is queried; in a connection of
        its own, or the one given."""
        import duckdb

        held = connection if connection is not None else duckdb.connect()
        if self.part is not None:
            return held.from_arrow(self._table)
        return held.read_parquet(str(self.data))

    def to_torch(
        self,
        features: Sequence[str] | None = None,
        *,
        batch_rows: int = 1024,
        shuffle: bool = True,
        seed: int = 0,
        pooled_groups: int = 4,
    ) -> Any:
        """A torch `IterableDataset` of (features float32 [n, k], label [n]) batches, read as it
        goes and shuffled across row groups; see `training.torch_stream.TorchRows`.

        Raises `Misuse` when torch is not installed, or a feature holds no numbers.
        """
        from training.matrices import matrices
        from training.shuffle import Order

        order = Order(
            batch_rows=batch_rows, shuffle=shuffle, seed=seed, pooled_groups=pooled_groups
        )
        numbers = matrices(self, features, self.label, order)
        try:
            from training.torch_stream import TorchRows
        except ModuleNotFoundError as error:
            raise Misuse(
                "to_torch needs torch",
                str(error),
                "pip install torch; or use batches(), to_pandas() or to_polars()",
            ) from error
        return TorchRows(numbers)

    def explain(self, row: int) -> "Explanation":
        """Where each value of a row (counted from 0) came from: source row, event time, created
        time, age. Printed, it is text to read.

        Reads the set's snapshots with the warehouse's engine. Raises `Misuse` or `NotFound`.
        """
        from registry.kernel.settings import read_settings
        from training.explain import explain_row
        from warehouse.bootstrap import open_engine
        from warehouse.snapshots import SnapshotStore

        store = SnapshotStore(self.folder.parent.parent / "snapshots")
        engine = open_engine(read_settings(self.folder))
        return explain_row(self.row(row), row, self.manifest, engine, store)

    @cached_property
    def _table(self) -> pa.Table:
        return self.keep(read_data(self.folder, self.manifest))


def load_folder(folder: Path) -> TrainingSet:
    """The training set in a folder. Raises `Corrupt` when its manifest cannot be read, or is not
    the one that was written."""
    try:
        data, seal = (folder / MANIFEST).read_bytes(), (folder / SEAL).read_text()
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise Corrupt(f"{folder} holds no training set", f"{missing} is missing") from error
    if seal != seal_of(data):
        raise Corrupt(
            f"the manifest of training set {folder.name!r} was changed after it was written",
            f"it is not what {SEAL} says",
            "bring the file back, or build the set again under another name",
        )
    return TrainingSet(folder, from_json(data), digest_of(data))


def seal_of(manifest: bytes) -> str:
    """What stands in the file beside a manifest; `sha256sum -c` understands it."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n"


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what reading a data file may raise into `Corrupt`."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise Corrupt(f"cannot read training set {name!r}", str(error)) from error


def read_data(folder: Path, manifest: Manifest) -> pa.Table:
    """The data file as a table; raises `Corrupt` when rows or columns are not the manifest's."""
    with reading(manifest.name):
        table = pq.read_table(folder / DATA)
    names = [column.name for column in manifest.columns]
    if table.num_rows != manifest.rows or table.column_names != names:
        raise Corrupt(
            f"training set {manifest.name!r} is not what was written",
            f"{table.num_rows} rows and {table.num_columns} columns,"
            f" the manifest says {manifest.rows} and {len(names)}",
        )
    return table
