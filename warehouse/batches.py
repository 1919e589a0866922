"""Cuts batches of Arrow rows into tables of another size. Pure."""

from collections.abc import Iterator

import pyarrow as pa


def tables_of(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """All rows in order as tables of `rows` rows, the last of fewer; one without rows for none."""
    waiting: list[pa.RecordBatch] = []
    count = given = 0
    for batch in reader:
        start = 0
        while batch.num_rows - start >= rows - count:
            waiting.append(batch.slice(start, rows - count))
            start += rows - count
            yield pa.Table.from_batches(waiting, reader.schema)
            waiting, count, given = [], 0, given + 1
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            count += batch.num_rows - start
    if waiting or not given:
        yield pa.Table.from_batches(waiting, reader.schema)
