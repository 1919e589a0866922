"""Looks at a spine's times as they are read: of the right type, and of this age. Pure."""

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.clock import format_instant
from registry.kernel.errors import Invalid
from warehouse.instants import check_time, in_utc

_FAR_YEARS = 100
_YEAR_SECONDS = 366 * 86_400
_FIRST = -62_135_596_800  # 0001-01-01, before which Python has no instants


def check_times(
    spine: pa.RecordBatchReader, column: str, zone: str, now: datetime
) -> pa.RecordBatchReader:
    """The same batches. Raises `Invalid` for a time column of another type and, as they are read,
    for times more than 100 years after `now` or before the year 1: seconds that were taken for
    milliseconds, most likely. Times without a zone are of `zone`."""
    check_time(column, spine.schema.field(column).type, "the spine")
    latest = int(now.timestamp()) + _FAR_YEARS * _YEAR_SECONDS

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in spine:
            times = pa.chunked_array([batch.column(column)])
            far = _outside(in_utc(times, zone), latest)
            if far:
                raise Invalid(
                    f"{far} of the spine's times in {column!r} lie more than {_FAR_YEARS} years"
                    " ahead, or before the year 1",
                    f"it is {format_instant(now)}",
                    "look whether they were read in the right unit",
                )
            yield batch

    return pa.RecordBatchReader.from_batches(spine.schema, batches())


def _outside(times: pa.ChunkedArray, latest: int) -> int:
    seconds = times.cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.int64())
    found = pc.or_(pc.greater(seconds, latest), pc.less(seconds, _FIRST))
    return pc.sum(found).as_py() or 0
