"""Cutting batches anew keeps every row, in order."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from warehouse.batches import tables_of

SCHEMA = pa.schema([("n", pa.int64())])


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 12))
def test_all_rows_come_in_order_and_only_the_last_table_is_short(
    sizes: list[int], rows: int
) -> None:
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    batches = [
        pa.record_batch([pa.array(range(start, start + size), pa.int64())], SCHEMA)
        for start, size in zip(starts, sizes, strict=True)
    ]
    found = list(tables_of(pa.RecordBatchReader.from_batches(SCHEMA, batches), rows))
    assert pa.concat_tables(found).column("n").to_pylist() == list(range(sum(sizes)))
    assert all(table.num_rows == rows for table in found[:-1])
    assert found[-1].num_rows > 0 or sum(sizes) == 0
