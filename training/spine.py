"""Opens a spine, whatever it comes as, as batches of Arrow rows. Joins nothing."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Invalid, Misuse
from warehouse.engines.port import Engine

_QUERY = re.compile(r"^\s*(?:--[^\n]*\n\s*)*\(?\s*(select|with|from)\b", re.IGNORECASE)
_READ_ROWS = 65_536
# Few of Arrow's functions take views of text and bytes.
_PLAIN = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


@contextmanager
def open_spine(spine: Any, engine: Engine) -> Iterator[pa.RecordBatchReader]:
    """The spine's rows in the order given and its columns as they are, read as they are asked for.

    `spine` is an Arrow table, batch or reader, a pandas or Polars frame, the path or glob of
    Parquet files, or a SELECT over the warehouse's tables. Text and bytes that are held as views
    become large ones. Raises `Misuse` for anything else and for files that are not there, `Invalid`
    for a frame that Arrow cannot hold, or in which one column holds times of unlike zones.
    """
    if isinstance(spine, str) and is_query(spine):
        with engine.read_query(spine) as reader:
            yield _plain(reader)
    elif isinstance(spine, str | Path):
        with _open_files(spine) as reader:
            yield _plain(reader)
    elif isinstance(spine, pa.RecordBatchReader):
        yield _plain(spine)
    else:
        yield _plain(_table(spine).to_reader())


def read_spine(spine: Any, engine: Engine) -> pa.Table:
    """All of a spine as one Arrow table; see `open_spine`."""
    with open_spine(spine, engine) as reader:
        return reader.read_all()


def spine_text(spine: Any) -> str | None:
    """What a manifest can say of where a spine came from: its query or path, else nothing."""
    return str(spine) if isinstance(spine, str | Path) else None


def is_query(text: str) -> bool:
    """Whether a spine's text is a query rather than a path."""
    return _QUERY.match(text) is not None


def _plain(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Without pandas' notes in the schema, and without views of text."""
    if not reader.schema.names:
        raise Misuse("the spine has no columns")
    fields = [field.with_type(_PLAIN.get(field.type, field.type)) for field in reader.schema]
    wanted = pa.schema(fields)
    return reader if reader.schema.equals(wanted, check_metadata=True) else reader.cast(wanted)


def _table(spine: Any) -> pa.Table:
    if isinstance(spine, pa.Table):
        return spine
    if isinstance(spine, pa.RecordBatch):
        return pa.Table.from_batches([spine])
    return _from_frame(spine)


def _from_frame(frame: Any) -> pa.Table:
    """By the frame's own module, so that neither pandas nor Polars is imported for it."""
    library = type(frame).__module__.partition(".")[0]
    try:
        if library == "pandas":
            _check_zones(frame)
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


def _check_zones(frame: Any) -> None:
    """Raise `Invalid` for a pandas column of single times, some of one zone and some of another.

    Arrow would take the first one's zone for all, and so read a time without one as of that zone.
    """
    for name in frame.columns:
        if frame[name].dtype != object:
            continue
        column = frame[name].dropna()
        if len(column) and isinstance(column.iloc[0], datetime):
            zones = {str(getattr(value, "tzinfo", None)) for value in column}
            if len(zones) > 1:
                raise Invalid(
                    f"the spine's column {name!r} holds times of unlike zones",
                    f"found {', '.join(sorted(zones))}",
                    f"make them one: pandas.to_datetime(frame[{name!r}], utc=True)",
                )


@contextmanager
def _open_files(pattern: str | Path) -> Iterator[pa.RecordBatchReader]:
    files = spine_files(pattern)
    with _reading(pattern):
        schema = pq.read_schema(files[0]).remove_metadata()
    yield pa.RecordBatchReader.from_batches(schema, _batches(files, schema, pattern))


def _batches(
    files: Sequence[Path], schema: pa.Schema, pattern: str | Path
) -> Iterator[pa.RecordBatch]:
    for file in files:
        with _reading(file), pq.ParquetFile(file, pre_buffer=False) as parquet:
            found = parquet.schema_arrow.remove_metadata()
            if not found.equals(schema):
                raise Invalid(
                    f"cannot read the spine from {pattern}",
                    f"{file} has other columns than {files[0]}: {_unlike(found, schema)}",
                    "give all files the same columns, of the same types",
                )
            for batch in parquet.iter_batches(_READ_ROWS):
                yield batch.replace_schema_metadata(None).cast(schema)


def _unlike(found: pa.Schema, first: pa.Schema) -> str:
    lines = {str(field) for field in found} ^ {str(field) for field in first}
    return "; ".join(sorted(lines)) or "in another order"


@contextmanager
def _reading(what: str | Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise Invalid(f"cannot read the spine from {what}", str(error)) from error


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
