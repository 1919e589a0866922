"""As served: moves each row's time back to the last materialization before it. Pure.

Online values are as old as the last run that wrote them. A model trained on fresher ones would meet
another world when it serves. The ttl is still judged at the row's own time, as a lookup does.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.errors import Invalid
from warehouse.instants import PER_SECOND, Unit, in_utc, is_nanoseconds, ticks_of_seconds

if TYPE_CHECKING:
    from registry.core.published import PublishedView


@dataclass(frozen=True, slots=True, kw_only=True)
class AsServed:
    """A materialization schedule: runs start every `interval_seconds`, `offset_seconds` after
    whole multiples of it since 1970 in UTC, and their values are there `lag_seconds` later."""

    interval_seconds: float
    offset_seconds: float = 0.0
    lag_seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """The schedule in words."""
        lag = f", there after {self.lag_seconds:g} s" if self.lag_seconds else ""
        return f"every {self.interval_seconds:g} s from {self.offset_seconds:g} s on{lag}"


def schedule(
    asked: "AsServed | timedelta | bool | None", interval_seconds: float
) -> AsServed | None:
    """The schedule asked for: True is the project's own interval, a timedelta another one.

    Raises `Invalid` for an interval that is not positive or a lag that is negative.
    """
    if not asked:
        return None
    if isinstance(asked, bool):
        asked = AsServed(interval_seconds=interval_seconds)
    if isinstance(asked, timedelta):
        asked = AsServed(interval_seconds=asked.total_seconds())
    if asked.interval_seconds < 1e-6 or asked.lag_seconds < 0:
        raise Invalid(
            "a materialization schedule needs a positive interval and no negative lag",
            f"found {asked}",
        )
    return asked


def last_runs(times: pa.ChunkedArray, served: AsServed, zone: str) -> pa.ChunkedArray:
    """For each time the start of the last run whose values were there by then (timestamp UTC);
    null stays null. Times without a zone are of `zone`."""
    unit: Unit = "ns" if is_nanoseconds(times.type) else "us"
    kind = pa.timestamp(unit, tz="UTC")
    utc = in_utc(times, zone).cast(kind).combine_chunks()
    ticks = utc.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    runs = _snapped(ticks, served, unit)
    return pa.chunked_array([pa.array(runs, mask=np.asarray(utc.is_null())).cast(kind)])


def outlived(
    events: pa.ChunkedArray, times: pa.ChunkedArray, view: "PublishedView", zone: str
) -> pa.ChunkedArray | None:
    """Whether each event, null where there is none, is older than the view's ttl at the row's own
    time; None for a view without a ttl."""
    if view.ttl_seconds is None:
        return None
    utc = in_utc(times, zone).cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
    oldest = pc.subtract(utc, ticks_of_seconds(view.ttl_seconds, "us"))
    return cast(pa.ChunkedArray, pc.less(events.cast(pa.int64()), oldest).fill_null(False))


def _snapped(ticks: npt.NDArray[np.int64], served: AsServed, unit: Unit) -> npt.NDArray[np.int64]:
    interval = max(1, round(served.interval_seconds * PER_SECOND[unit]))
    offset = ticks_of_seconds(served.offset_seconds, unit)
    lag = ticks_of_seconds(served.lag_seconds, unit)
    snapped: npt.NDArray[np.int64] = (ticks - offset - lag) // interval * interval + offset
    return snapped
