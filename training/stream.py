"""Joins a spine batch by batch, so that memory goes with a batch and its features. Keeps no set.

Each batch reads the histories' keys and times again, and of their values what the batch needs.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Misuse, Unavailable
from registry.kernel.progress import Progress
from registry.kernel.types import FIXED_WIDTH_BYTES
from training.assemble import Assembled, assemble
from training.recipe import Recipe
from warehouse.batches import tables_of
from warehouse.engines.port import Engine

ROW_GROUP_ROWS = 122_880
_FEWEST_ROWS = 10_000
_READ_ROWS = 65_536
_WIDE_BYTES = 32  # what a text or a list is taken to need
_VIEW_BYTES = 100  # a spine row's time, key and newest history rows, while one view is joined


def rows_at_once(recipe: Recipe, spine: pa.Schema, most_bytes: int) -> int:
    """How many spine rows to join at a time, so that they and their features, held twice while
    they are put together, stay within about `most_bytes`."""
    widths = [FIXED_WIDTH_BYTES.get(f.facts.dtype, _WIDE_BYTES) for f in recipe.features]
    width = row_bytes(spine) + sum(widths)
    return max(_FEWEST_ROWS, int(most_bytes // (2 * width + _VIEW_BYTES)))


def row_bytes(schema: pa.Schema) -> int:
    """About how many bytes one row takes in memory."""
    return sum(_width(field.type) for field in schema)


def join_batches(
    spine: pa.RecordBatchReader,
    recipe: Recipe,
    engine: Engine,
    rows: int,
    progress: Progress | None = None,
) -> Iterator[Assembled]:
    """The spine's rows in order, `rows` at a time, with the recipe's features behind them; one
    without rows when there are none. Raises what a join raises."""
    for table in tables_of(spine, rows):
        yield assemble(table, recipe, engine, progress)


@contextmanager
def read_batches(file: Path) -> Iterator[pa.RecordBatchReader]:
    """The rows of one Parquet file, read as they are asked for."""
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        batches = parquet.iter_batches(_READ_ROWS)
        yield pa.RecordBatchReader.from_batches(parquet.schema_arrow, batches)


def stream_joined(
    spine: pa.RecordBatchReader, recipe: Recipe, engine: Engine, out: Path, rows: int
) -> int:
    """Write the spine's rows in order, with the recipe's features behind them; how many there are.

    `out` appears whole or not at all. Raises `Misuse` when it exists, `Unavailable` when the disk
    does not take it, and what a join raises.
    """
    if out.exists():
        raise Misuse(f"{out} exists", hint="name another file, or remove it")
    count = 0
    with _new_file(out) as file, TableWriter(file) as writer:
        for made in join_batches(spine, recipe, engine, rows):
            writer.write(made.table)
            count += made.table.num_rows
    return count


class TableWriter:
    """A Parquet file that gets its schema from the first table."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Add rows; raises `OSError` when the disk does not take them."""
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, table.schema, compression="zstd")
        self.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def __enter__(self) -> "TableWriter":
        return self

    def close(self) -> None:
        """End the file; raises `OSError` when the disk does not take its end."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()

    def give_up(self) -> None:
        """Let go of a file that nobody will read."""
        with suppress(OSError):
            self.close()

    def __exit__(self, failed: object, *_: object) -> None:
        self.give_up() if failed else self.close()


def _width(arrow: pa.DataType) -> int:
    try:
        return max(1, int(arrow.bit_width) // 8)
    except ValueError:  # of no fixed width
        return _WIDE_BYTES


@contextmanager
def _new_file(out: Path) -> Iterator[Path]:
    name = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=".new-")
        os.close(handle)
        yield Path(name)
        Path(name).replace(out)
    except OSError as error:
        raise Unavailable(f"cannot write {out}", str(error), "free some disk space") from error
    finally:
        if name is not None:
            Path(name).unlink(missing_ok=True)
