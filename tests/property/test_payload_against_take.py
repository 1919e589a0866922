"""Values read straight to the rows that take them, against a plain take of the whole table."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.kernel.errors import Unavailable
from registry.kernel.types import arrow_type
from warehouse.engines import payload
from warehouse.engines.parquet_groups import FILE_SHIFT, row_groups
from warehouse.engines.payload import can_fetch, fetch_columns, wanted_of
from warehouse.history import HistoryColumn

DTYPES = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(allow_nan=False, width=32),
    "bool": st.booleans(),
    "timestamp": st.just(datetime(2013, 1, 1, tzinfo=UTC)),
    "string": st.text(max_size=3),
    "decimal": st.decimals(-9, 9, places=2).map(Decimal),
    "list<int64>": st.lists(st.none() | st.integers(0, 3), max_size=3),
}
COLUMNS = [HistoryColumn(name, name, name) for name in DTYPES]
Files = list[list[dict[str, Any]]]
row = st.fixed_dictionaries({name: st.none() | values for name, values in DTYPES.items()})
SCHEMA = pa.schema([(name, arrow_type(name)) for name in DTYPES])


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(st.lists(row, max_size=9), min_size=1, max_size=2),
    picks=st.lists(st.none() | st.integers(0, 17), min_size=1, max_size=12),
    small=st.sampled_from([1, 100]),
)
def test_every_row_gets_the_values_at_its_position(
    files: Files, picks: list[int | None], small: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("payload")
    tables = [pa.Table.from_pylist(rows, SCHEMA) for rows in files]
    paths = [str(folder / f"{number}.parquet") for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        pq.write_table(table, path, row_group_size=4)
    places = [(n << FILE_SHIFT) + r for n, table in enumerate(tables) for r in range(len(table))]
    chosen = [pick % len(places) if pick is not None and places else None for pick in picks]
    position = np.array([-1 if one is None else places[one] for one in chosen])
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(payload, "_SMALL_ROWS", small)
        patch.setattr(payload, "_SLICE_ROWS", 3)
        columns = fetch_columns(wanted_of(row_groups(paths), position, pool), COLUMNS, pool)
    right = pa.concat_tables(tables).take(pa.array(chosen, pa.int64()))
    found = pa.table(dict(zip(DTYPES, columns, strict=True)))
    assert found.schema.equals(SCHEMA)
    assert found.to_pylist() == right.to_pylist()


def test_narrow_numbers_are_widened_and_others_left_to_the_engine() -> None:
    schema = pa.schema([("a", pa.int32()), ("b", pa.float64()), ("c", pa.uint32())])
    asked = [HistoryColumn(n, n, d) for n, d in (("a", "int64"), ("b", "float32"), ("c", "int64"))]
    assert [column.name for column in can_fetch([schema], asked)] == ["a"]


def test_a_file_that_lost_rows_is_told(tmp_path: Path) -> None:
    file = tmp_path / "past.parquet"
    pq.write_table(pa.table({"int64": [1, 2]}), file)
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable, match="changed while"):
        wanted_of(row_groups([str(file)]), np.array([5]), pool)
