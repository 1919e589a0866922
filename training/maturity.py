"""Maturity of labels: leaves out, or refuses, rows whose label nobody knew at build time. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.clock import format_instant
from registry.kernel.errors import Invalid, Misuse, Refused, nearest_names
from warehouse.instants import check_time, in_utc, ticks_of, ticks_of_column, ticks_of_seconds

Immature = Literal["leave-out", "refuse"]
IMMATURE: tuple[Immature, ...] = ("leave-out", "refuse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """When a label is known: at the instant in `known_column`, else `delay_seconds` after the
    row's own time."""

    delay_seconds: float = 0.0
    known_column: str | None = None
    immature: Immature = "leave-out"


@dataclass(frozen=True, slots=True)
class Ripe:
    """The rows whose label was known, and how many were left out."""

    table: pa.Table
    left_out: int


def check_maturity(maturity: Maturity, columns: list[str]) -> None:
    """Raise `Invalid` or `Misuse` for a maturity that makes no sense for these columns."""
    if maturity.delay_seconds < 0:
        raise Invalid(f"a label cannot be known {-maturity.delay_seconds:g} seconds too early")
    if maturity.immature not in IMMATURE:
        raise Misuse(f"immature is {maturity.immature!r}", f"it may be {', '.join(IMMATURE)}")
    if maturity.known_column is not None and maturity.known_column not in columns:
        near = nearest_names(maturity.known_column, columns)
        raise Misuse(
            f"the spine has no column {maturity.known_column!r} (when the label is known)",
            f"nearest: {', '.join(near)}" if near else f"it has {', '.join(columns)}",
        )


class RipeSpine:
    """A spine without the rows whose label is not known at `now`, which are counted as it is read;
    without a maturity none is left out. `time_column`, of `zone`, is the rows' own time."""

    def __init__(
        self,
        spine: pa.RecordBatchReader,
        maturity: Maturity | None,
        time_column: str,
        zone: str,
        now: datetime,
    ) -> None:
        self.rows = self.left_out = 0
        self._maturity, self._time, self._zone, self._now = maturity, time_column, zone, now
        self.reader = pa.RecordBatchReader.from_batches(spine.schema, self._batches(spine))

    def check(self) -> None:
        """Raise `Refused`, once all is read, when rows were left out and that is not wanted."""
        if self.left_out and self._maturity and self._maturity.immature == "refuse":
            raise _immature(self.left_out, self.rows, self._now)

    def _batches(self, spine: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in spine:
            self.rows += batch.num_rows
            if self._maturity is None:
                yield batch
                continue
            table = pa.Table.from_batches([batch])
            kept = table.filter(_ripe(table, self._maturity, self._time, self._zone, self._now))
            self.left_out += batch.num_rows - kept.num_rows
            yield from kept.to_batches()


def ripe_rows(
    table: pa.Table, maturity: Maturity, time_column: str, zone: str, now: datetime
) -> Ripe:
    """The rows whose label is known at `now`, in order. A row without a known time is not one.

    Raises `Refused` when there are others and `maturity` says so.
    """
    ripe = _ripe(table, maturity, time_column, zone, now)
    left_out = table.num_rows - (pc.sum(ripe).as_py() or 0)
    if left_out and maturity.immature == "refuse":
        raise _immature(left_out, table.num_rows, now)
    return Ripe(table.filter(ripe) if left_out else table, left_out)


def _ripe(
    table: pa.Table, maturity: Maturity, time_column: str, zone: str, now: datetime
) -> pa.ChunkedArray:
    known = known_at(table, maturity, time_column, zone)
    return pc.less_equal(known, ticks_of(now, "us")).fill_null(False)


def _immature(left_out: int, rows: int, now: datetime) -> Refused:
    return Refused(
        f"{left_out} of {rows} rows have a label that is not known yet",
        f"it is {format_instant(now)}",
        "leave them out of the spine, or ask for immature='leave-out'",
    )


def known_at(table: pa.Table, maturity: Maturity, time_column: str, zone: str) -> pa.ChunkedArray:
    """int64 microseconds since 1970 at which each row's label is known, null where it is not."""
    if maturity.known_column is not None:
        column = table.column(maturity.known_column)
        check_time(maturity.known_column, column.type, "the spine")
        return ticks_of_column(column, "us", zone)
    times = in_utc(table.column(time_column), zone).cast(_MICROSECONDS, safe=False)
    return pc.add(times.cast(pa.int64()), ticks_of_seconds(maturity.delay_seconds, "us"))


_MICROSECONDS = pa.timestamp("us", tz="UTC")
