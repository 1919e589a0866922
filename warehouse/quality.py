"""Quality: runs expectations over data of any size and says what they found. Decides nothing.

Data are looked at in SQL, by DuckDB over Arrow, so that they are never whole in memory. What Great
Expectations cannot say in SQL (some text and order checks) it is asked of an even sample in pandas.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from registry.core.definitions import Expectation
from warehouse.engines.duckdb_sqlalchemy import lend, named
from warehouse.gx import engine_name, on_database, on_frame
from warehouse.quality_report import QualityReport, columns_needed

SAMPLE_ROWS = 100_000

Data: TypeAlias = Any  # a pa.Table, or the Path of a Parquet file


def check(
    data: pa.Table,
    expectations: Sequence[Expectation],
    sample_rows: int = SAMPLE_ROWS,
    names: Mapping[str, str] | None = None,
) -> QualityReport:
    """Run expectations, by their GX names, on an Arrow table.

    `names` maps columns to what the expectations call them. All rows are looked at, but for what
    cannot be said in SQL, which sees no more than `sample_rows` evenly spaced ones. Raises
    `Invalid` for an expectation GX does not know, or whose arguments it refuses.
    """
    return _check(data, data.schema, data.num_rows, expectations, sample_rows, names or {})


def check_file(
    path: Path,
    expectations: Sequence[Expectation],
    names: Mapping[str, str] | None = None,
    sample_rows: int = SAMPLE_ROWS,
) -> QualityReport:
    """The same for a Parquet file, which is read as it goes."""
    with pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    return _check(path, schema, rows, expectations, sample_rows, names or {})


def _check(
    data: Data,
    schema: pa.Schema,
    rows: int,
    expectations: Sequence[Expectation],
    sample_rows: int,
    names: Mapping[str, str],
) -> QualityReport:
    if not expectations:
        return QualityReport(rows, 0, "none")
    called = {name: names.get(name, name) for name in schema.names}
    with lend(data, schema, called) as url:
        answers = on_database(url, expectations)
    left = [n for n, answer in enumerate(answers) if answer.impossible]
    seen = rows
    if left:
        wanted = columns_needed([expectations[n] for n in left], list(called.values()))
        columns = [name for name in called if called[name] in wanted]
        sample = _sample(data, schema, columns, max(1, math.ceil(rows / sample_rows)))
        seen = sample.num_rows
        frame = named(sample, called).to_pandas()
        again = on_frame(frame, [expectations[n] for n in left])
        for n, answer in zip(left, again, strict=True):
            answers[n] = replace(answer, result=replace(answer.result, sampled=seen < rows))
    return QualityReport(rows, seen, engine_name(), tuple(answer.result for answer in answers))


def _sample(data: Data, schema: pa.Schema, columns: list[str], step: int) -> pa.Table:
    """Every so-manieth row, read batch by batch."""
    kept = pa.schema([schema.field(name) for name in columns])
    return pa.Table.from_batches(list(_thinned(_batches(data, columns), step)), kept)


def _batches(data: Data, columns: list[str]) -> Iterator[Any]:
    if isinstance(data, Path):
        with pq.ParquetFile(data) as file:
            yield from file.iter_batches(columns=columns)
    else:
        yield from data.select(columns).to_batches()


def _thinned(batches: Iterator[Any], step: int) -> Iterator[Any]:
    seen = 0
    for batch in batches:
        yield batch.take(pa.array(range(-seen % step, batch.num_rows, step), pa.int64()))
        seen += batch.num_rows
