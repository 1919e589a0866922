"""Reads a spine, whatever it comes as, into one Arrow table. Joins nothing."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Invalid, Misuse
from warehouse.engines.port import Engine

_QUERY = re.compile(r"^\s*(?:--[^\n]*\n\s*)*\(?\s*(select|with|from)\b", re.IGNORECASE)


def read_spine(spine: Any, engine: Engine) -> pa.Table:
    """The spine as an Arrow table, its rows in the order given and its columns as they are.

    `spine` is an Arrow table, batch or reader, a pandas or Polars frame, the path or glob of
    Parquet files, or a SELECT over the warehouse's tables. Raises `Misuse` for anything else and
    for files that are not there, `Invalid` for a frame that Arrow cannot hold.
    """
    table = _table(spine, engine)
    if table.num_columns == 0:
        raise Misuse("the spine has no columns")
    return table.replace_schema_metadata(None)


def spine_text(spine: Any) -> str | None:
    """What a manifest can say of where a spine came from: its query or path, else nothing."""
    return str(spine) if isinstance(spine, str | Path) else None


def is_query(text: str) -> bool:
    """Whether a spine's text is a query rather than a path."""
    return _QUERY.match(text) is not None


def _table(spine: Any, engine: Engine) -> pa.Table:
    if isinstance(spine, pa.Table):
        return spine
    if isinstance(spine, pa.RecordBatch):
        return pa.Table.from_batches([spine])
    if isinstance(spine, pa.RecordBatchReader):
        return spine.read_all()
    if isinstance(spine, str) and is_query(spine):
        return engine.query(spine)
    if isinstance(spine, str | Path):
        return _read_files(spine)
    return _from_frame(spine)


def _from_frame(frame: Any) -> pa.Table:
    """By the frame's own module, so that neither pandas nor Polars is imported for it."""
    library = type(frame).__module__.partition(".")[0]
    try:
        if library == "pandas":
            return pa.Table.from_pandas(frame, preserve_index=False)
        if library == "polars":
            eager = frame.collect() if hasattr(frame, "collect") else frame
            return eager.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Invalid("cannot read the spine", str(error), "give each column one type") from error
    raise Misuse(
        f"cannot read a spine from {type(frame).__name__}",
        hint="give an Arrow table, a pandas or Polars frame, a Parquet path, or a SELECT",
    )


def _read_files(pattern: str | Path) -> pa.Table:
    files = spine_files(pattern)
    try:
        return pa.concat_tables([pq.ParquetFile(file).read() for file in files])
    except (pa.ArrowInvalid, OSError) as error:
        raise Invalid(f"cannot read the spine from {pattern}", str(error)) from error


def spine_files(pattern: str | Path) -> Sequence[Path]:
    """The Parquet files at a path or glob, sorted; raises `Misuse` when there is none."""
    files = _matching(Path(pattern))
    if not files:
        raise Misuse(f"no Parquet file at {pattern}", hint="a query must start with SELECT or WITH")
    return files


def _matching(pattern: Path) -> Sequence[Path]:
    if pattern.is_file():
        return [pattern]
    if pattern.is_dir():
        return sorted(pattern.glob("*.parquet"))
    wild = next((n for n, part in enumerate(pattern.parts) if set(part) & set("*?[")), None)
    if wild is None:
        return []
    return sorted(Path(*pattern.parts[:wild]).glob(str(Path(*pattern.parts[wild:]))))
