"""Joins a spine too large for memory: batches of it in, one Parquet file out. Describes nothing.

Memory goes with a batch and its features. Each batch reads the histories' keys and times again, and
of their values what the batch needs.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Misuse, Unavailable
from training.assemble import assemble
from training.recipe import Recipe
from training.spine import spine_files
from warehouse.engines.port import Engine

BATCH_ROWS = 1_000_000
ROW_GROUP_ROWS = 122_880


def spine_schema(spine: str | Path) -> pa.Schema:
    """The columns of the spine in Parquet files; raises `Misuse` when there is none."""
    return pq.read_schema(spine_files(spine)[0])


def stream_joined(
    spine: str | Path, recipe: Recipe, engine: Engine, out: Path, rows: int = BATCH_ROWS
) -> int:
    """Write the spine's rows in order, with the recipe's features behind them; how many there are.

    `out` appears whole or not at all. Raises `Misuse` when it exists, `Unavailable` when the disk
    does not take it, and what a join raises.
    """
    if out.exists():
        raise Misuse(f"{out} exists", hint="name another file, or remove it")
    count = 0
    with _new_file(out) as file, _Writer(file) as writer:
        for table in _batches(spine, rows):
            writer.write(assemble(table, recipe, engine).table)
            count += table.num_rows
    return count


def _batches(spine: str | Path, rows: int) -> Iterator[pa.Table]:
    """Tables of about that many rows; one without rows when there are none."""
    waiting: list[pa.RecordBatch] = []
    any_rows = False
    schema = spine_schema(spine).remove_metadata()
    for file in spine_files(spine):
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(min(rows, ROW_GROUP_ROWS)):
                waiting.append(batch.replace_schema_metadata(None).cast(schema))
                if sum(one.num_rows for one in waiting) >= rows:
                    any_rows = True
                    yield pa.Table.from_batches(waiting)
                    waiting = []
    if waiting or not any_rows:
        yield pa.Table.from_batches(waiting, schema)


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


class _Writer:
    """A Parquet file that gets its schema from the first table."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, table.schema, compression="zstd")
        self.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()
