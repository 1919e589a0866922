"""A training set as its user holds it: the manifest, and the data in the form asked for."""

import hashlib
from collections.abc import Iterator
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
        return self.to_arrow().num_rows if self.part else self.manifest.rows

    def split(self, name: str) -> "TrainingSet":
        """One part of the split declared at build; raises `NotFound` for a part there is not."""
        if name not in self.split_names:
            raise NotFound(f"part of training set {self.name!r}:", name, self.split_names)
        return replace(self, part=name)

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table. Raises `Corrupt` when the file is not the one written."""
        return self._table

    def batches(self, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most `rows` at a time; a whole set is read as it goes."""
        if self.part is not None:
            yield from self._table.to_batches(max_chunksize=rows)
            return
        with pq.ParquetFile(self.folder / DATA) as file:
            yield from file.iter_batches(batch_size=rows)

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

    @cached_property
    def _table(self) -> pa.Table:
        table = read_data(self.folder, self.manifest)
        if self.part is None or self.manifest.splits is None:
            return table
        spec = self.manifest.recipe.spec
        return rows_of(table, self.part, spec.time_column, self.manifest.splits, spec.time_zone)


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


def read_data(folder: Path, manifest: Manifest) -> pa.Table:
    """The data file as a table; raises `Corrupt` when rows or columns are not the manifest's."""
    try:
        table = pq.read_table(folder / DATA)
    except (OSError, pa.ArrowInvalid) as error:
        raise Corrupt(f"cannot read training set {manifest.name!r}", str(error)) from error
    names = [column.name for column in manifest.columns]
    if table.num_rows != manifest.rows or table.column_names != names:
        raise Corrupt(
            f"training set {manifest.name!r} is not what was written",
            f"{table.num_rows} rows and {table.num_columns} columns,"
            f" the manifest says {manifest.rows} and {len(names)}",
        )
    return table
