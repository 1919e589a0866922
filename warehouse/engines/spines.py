"""A spine's keys and times made ready for a join: checked, of one type, numbered. Pure Arrow."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.core.published import PublishedView
from registry.kernel.errors import Invalid, Misuse, nearest_names
from warehouse.asof import AsOfPlan, check_key
from warehouse.engines.arrays import int64s
from warehouse.history import HistoryColumn
from warehouse.instants import check_time, ticks_of_column

_LARGEST = 2**63 - 1  # a plain number: an Arrow scalar would load pandas with the module


def check_spine(spine: pa.Table, time_column: str, view: PublishedView) -> None:
    """Raise `Misuse` for a missing key or time column, `Invalid` for one of the wrong type."""
    for column in (time_column, *(key.name for key in view.join_keys)):
        count = spine.column_names.count(column)
        if count != 1:
            what = "has no column" if count == 0 else "has more than one column"
            near = ", ".join(nearest_names(column, spine.column_names)) or ", ".join(
                spine.column_names
            )
            raise Misuse(
                f"the spine {what} {column!r}",
                f"view {view.key!r} is joined by {_keys(view)} at {time_column!r}",
                f"the spine's columns: {near}",
            )
    check_time(time_column, spine.schema.field(time_column).type, "the spine")
    for key in view.join_keys:
        asked = HistoryColumn(key.name, key.name, key.dtype)
        check_key(asked, spine.schema.field(key.name).type, "the spine")


def ready_spine(
    spine: pa.Table, time_column: str, keys: Sequence[HistoryColumn], plan: AsOfPlan, zone: str
) -> pa.Table:
    """Columns pos (int64), t (int64 ticks) and k0, k1, …: all that a join has to look at."""
    columns = {
        "pos": int64s(np.arange(spine.num_rows, dtype=np.int64)),
        "t": ticks_of_column(spine.column(time_column), plan.unit, zone),
    }
    for place, key in enumerate(keys):
        columns[f"k{place}"] = _key(spine.column(key.name), key)
    return pa.table(columns)


def _key(column: pa.ChunkedArray, key: HistoryColumn) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if key.dtype not in ("int32", "int64"):
        return column
    if pa.types.is_floating(column.type):  # pandas turns whole numbers with gaps into floats
        column = pa.chunked_array([pa.array(column.to_numpy(), from_pandas=True)])
    if pa.types.is_uint64(column.type):  # what no int64 can hold is nobody's key
        column = pc.if_else(
            pc.less_equal(column, pa.scalar(_LARGEST, pa.uint64())),
            column,
            pa.scalar(None, pa.uint64()),
        )
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise Invalid(
            f"the spine's join key {key.name!r} cannot be read as {key.dtype}", str(error)
        ) from error


def _keys(view: PublishedView) -> str:
    return ", ".join(repr(key.name) for key in view.join_keys)
