"""A sketch of a column in somebody's file, to look for features that have the same values.

The file is read once: the keys, the time and the column. It goes through the same sketch maker as
features do, so that the two can be compared.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.core.definitions import JoinKey, Source
from registry.core.published import PublishedFeature, PublishedView, RowSchema
from registry.core.similarity.values import ValueSketch
from registry.kernel.clock import Clock
from registry.kernel.errors import Invalid, Misuse, NotFound
from registry.kernel.types import element_type, type_of_arrow
from warehouse.engines.port import Engine
from warehouse.value_sketches import ValueSketcher

TABLE, VALUE, TIME = "example_file", "value", "example_time"


@dataclass(frozen=True, slots=True)
class ExampleSketcher:
    """A `registry.ports.ExampleReader` with an engine of its own over a copy of the three columns.

    `open_engine` opens one that knows these tables too; `clock` says what counts as past.
    """

    open_engine: Callable[[Mapping[str, Path]], Engine]
    clock: Clock

    def __call__(
        self, file: Path, column: str, keys: Mapping[str, str], time: str
    ) -> ValueSketch | None:
        """The sketch of a column of a Parquet or CSV file; None when no row has a key and a past
        time. `keys` map join keys to the file's columns.

        Raises `Misuse` (no such file), `Invalid` (not readable, or a column of a type that has no
        sketch), `NotFound` (a column that the file lacks, with the nearest).
        """
        rows = _rows(file, column, keys, time)
        with tempfile.TemporaryDirectory(prefix="fieldhouse-example-") as folder:
            copy = Path(folder) / f"{TABLE}.parquet"
            pq.write_table(rows, copy)
            engine = self.open_engine({TABLE: copy})
            view = _view(rows, tuple(keys))
            made = ValueSketcher(engine, self.clock)(view, (VALUE,))
        return made[0] if made else None


def _rows(file: Path, column: str, keys: Mapping[str, str], time: str) -> pa.Table:
    """The join keys, `TIME` and `VALUE` of every row that has keys and a time."""
    wanted = dict.fromkeys([*keys.values(), time, column])
    table = _read(file, list(wanted))
    columns = {name: _key(table[source], source) for name, source in keys.items()}
    columns[TIME] = _time(table[time], time)
    columns[VALUE] = _value(table[column], column)
    return pa.table(columns).filter(pc.invert(_any_null([columns[name] for name in (*keys, TIME)])))


def _read(file: Path, wanted: list[str]) -> pa.Table:
    if not file.is_file():
        raise Misuse(f"there is no file {file}", hint="give FILE:COLUMN, a Parquet or CSV file")
    try:
        if file.suffix.lower() in (".csv", ".txt"):
            from pyarrow import csv

            table = csv.read_csv(file)
            names = table.column_names
        else:
            names = pq.read_schema(file).names
            table = None
        _check_columns(file, wanted, names)
        return table.select(wanted) if table is not None else pq.read_table(file, columns=wanted)
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0][:300]
        raise Invalid(f"{file} is no Parquet or CSV file that can be read", said) from error


def _check_columns(file: Path, wanted: list[str], names: list[str]) -> None:
    for name in wanted:
        if name not in names:
            has = ", ".join(names[:20])
            raise NotFound("column", name[:200], names, f"{file.name} has {has}")


def _key(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Whole numbers that a file holds as floats, because some were missing, as whole numbers."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise Invalid(
                f"column {name} has fractions", hint="a key is a text or whole"
            ) from error
    _check_type(values.type, name)
    return values


def _value(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    _check_type(values.type, name)
    return values


def _check_type(given: pa.DataType, name: str) -> None:
    found = type_of_arrow(given)
    if element_type(found) is not None or found in ("bytes", "map", "struct", "json"):
        raise Invalid(f"column {name} holds {given}", hint="name a column of single values")


def _time(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Instants, of dates and of texts too."""
    if pa.types.is_timestamp(values.type):
        return values
    try:
        return values.cast(pa.timestamp("us"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        hint = "--time names the column that says since when a value holds"
        raise Invalid(f"column {name} holds {values.type}, no times", hint=hint) from error


def _any_null(columns: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    found = columns[0].is_null()
    for column in columns[1:]:
        found = pc.or_(found, column.is_null())
    return found


def _view(rows: pa.Table, keys: tuple[str, ...]) -> PublishedView:
    dtype = type_of_arrow(rows.schema.field(VALUE).type)
    feature = PublishedFeature(VALUE, dtype, 1, "draft", "", "", "", "")
    return PublishedView(
        namespace="",
        name="example",
        line=1,
        entities=keys,
        join_keys=tuple(JoinKey(k, type_of_arrow(rows.schema.field(k).type)) for k in keys),
        source=Source(TABLE, "table", table=TABLE, timestamp_field=TIME),
        features=(feature,),
        row_schemas=(RowSchema(1, ((VALUE, dtype),)),),
    )
