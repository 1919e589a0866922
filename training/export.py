"""Writes a training set for other tools: Parquet, CSV or Arrow files, and a sidecar of its schema.

Rows are written as they are read. A file appears whole or not at all.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from registry.kernel.errors import Misuse, Unavailable
from training.dataset import TrainingSet
from training.manifest import Column

Format = Literal["parquet", "csv", "arrow"]
FORMATS: tuple[Format, ...] = get_args(Format)
_CSV = {
    "separator": ",",
    "decimal": ".",
    "null": "nothing between the separators (an empty text is written as two quotes)",
    "timestamp": "2013-01-01 00:00:00.000000Z, in UTC where the column has a zone",
    "encoding": "UTF-8, one header line",
}


def export(made: TrainingSet, folder: Path, shape: Format) -> tuple[Path, Path]:
    """Write a set, or a part of one, as `NAME[.PART].parquet`, `.csv` or `.arrow` into a folder,
    made if need be, with `NAME[.PART].schema.json` beside it; give both paths.

    What is there under these names is replaced. Raises `Misuse` for a format there is not, and for
    lists and structs in CSV; `Unavailable` when the disk does not take it: then nothing is left.
    """
    if shape not in FORMATS:
        raise Misuse(f"cannot write {shape!r}", f"known: {', '.join(FORMATS)}")
    schema = made.schema
    if shape == "csv":
        _check_flat(schema)
    stem = made.name if made.part is None else f"{made.name}.{made.part}"
    data, sidecar = folder / f"{stem}.{shape}", folder / f"{stem}.schema.json"
    with _new_files(folder, stem) as (new_data, new_sidecar):
        rows = _write(made, schema, new_data, _WRITERS[shape])
        facts = _facts(made, schema, data.name, shape, rows)
        new_sidecar.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
        new_data.replace(data)
        new_sidecar.replace(sidecar)
    return data, sidecar


def _write(
    made: TrainingSet,
    schema: pa.Schema,
    path: Path,
    writer: Callable[[Path, pa.Schema], Any],
) -> int:
    rows = 0
    with writer(path, schema) as file:
        for batch in made.batches():
            file.write_batch(batch)
            rows += batch.num_rows
    return rows


def _facts(
    made: TrainingSet, schema: pa.Schema, file: str, shape: Format, rows: int
) -> dict[str, Any]:
    """What a reader in another language needs to know of the file."""
    manifest = made.manifest
    facts = {
        "training_set": made.name,
        "part": made.part,
        "file": file,
        "format": shape,
        "rows": rows,
        "label": made.label,
        "manifest": made.digest,
        "content_hash": manifest.content_hash,
        "columns": [_column(column, schema.field(column.name).type) for column in manifest.columns],
    }
    return {**facts, "csv": _CSV} if shape == "csv" else facts


def _column(column: Column, arrow: pa.DataType) -> dict[str, Any]:
    return {
        "name": column.name,
        "role": column.role,
        "arrow": column.arrow,
        "r": _in_r(arrow),
        "feature": column.ref,
        "meaning": column.meaning,
    }


def _in_r(arrow: pa.DataType) -> str:
    """The class of a column in R that loses nothing."""
    return next((found for test, found in _R if test(arrow)), "list")


_R: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "logical"),
    (pa.types.is_int64, "bit64::integer64"),
    (pa.types.is_uint64, "bit64::integer64"),
    (pa.types.is_uint32, "numeric"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "numeric"),
    (pa.types.is_decimal, "character"),
    (pa.types.is_timestamp, "POSIXct"),
    (pa.types.is_date, "Date"),
    (pa.types.is_string, "character"),
    (pa.types.is_large_string, "character"),
)


def _check_flat(schema: pa.Schema) -> None:
    nested = [f"{f.name} ({f.type})" for f in schema if pa.types.is_nested(f.type)]
    if nested:
        raise Misuse(
            "CSV cannot hold lists or structs", ", ".join(nested), "write parquet or arrow instead"
        )


_WRITERS: dict[Format, Callable[[Path, pa.Schema], Any]] = {
    "csv": lambda path, schema: pa_csv.CSVWriter(str(path), schema),
    "arrow": lambda path, schema: pa.ipc.new_file(str(path), schema),
    # Snappy, because every reader knows it.
    "parquet": lambda path, schema: pq.ParquetWriter(path, schema, compression="snappy"),
}


@contextmanager
def _new_files(folder: Path, stem: str) -> Iterator[tuple[Path, Path]]:
    """Two files to write; what has not been moved to its place by the end is removed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [_new_file(folder, stem) for _ in range(2)]
    except OSError as error:
        raise _full(folder, error) from error
    try:
        yield names[0], names[1]
    except OSError as error:
        raise _full(folder, error) from error
    finally:
        for name in names:
            name.unlink(missing_ok=True)


def _new_file(folder: Path, stem: str) -> Path:
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{stem}-")
    os.close(handle)
    Path(name).chmod(0o644)
    return Path(name)


def _full(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(f"cannot write in {folder}", str(error), "free some disk space")
