"""What was predicted and what turned out, read together from the log and the labels."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from registry.kernel.errors import NotFound
from serving.bundle import check_name
from serving.segments import LABELS


@dataclass(frozen=True, slots=True)
class Past:
    """n predicted rows in the order of their times. `labels` float64 [n], NaN where none came."""

    table: pa.Table
    times: NDArray[np.int64]
    labels: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, float64 [n], NaN where null."""
        values = self.table.column(name).cast(pa.float64())
        found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
        return found

    def values(self, name: str) -> list[Any]:
        found: list[Any] = self.table.column(name).to_pylist()
        return found

    def part(self, since: int, until: int) -> "Past":
        """The rows with times in [since, until), microseconds."""
        start, end = np.searchsorted(self.times, [since, until])
        return Past(
            self.table.slice(start, end - start), self.times[start:end], self.labels[start:end]
        )


def read_past(
    home: Path, model: str, version: str, since: datetime | None, until: datetime | None
) -> Past:
    """The log of one version between two instants (the first included), and its labels.

    Raises `NotFound` when nothing of this version was logged.
    """
    files = sorted((home / "predictions" / check_name(model) / version).glob("*.parquet"))
    if not files:
        raise NotFound("logged prediction of model", f"{model} {version}")
    table = pa.concat_tables([pq.read_table(file) for file in files], promote_options="permissive")
    for bound, keep in ((since, pc.greater_equal), (until, pc.less)):
        if bound is not None:
            table = table.filter(keep(table.column("at"), pa.scalar(bound, table["at"].type)))
    table = table.sort_by(
        [("at", "ascending"), ("prediction_id", "ascending"), ("row", "ascending")]
    )
    times = table.column("at").cast(pa.int64()).to_numpy()
    return Past(table, times, _labels_for(table, _read_labels(home / "labels" / model)))


def _read_labels(folder: Path) -> pa.Table:
    files = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([LABELS.empty_table(), *(pq.read_table(file) for file in files)])


def _labels_for(table: pa.Table, labels: pa.Table) -> NDArray[np.float64]:
    """The last label received for each row of `table`, NaN where there is none."""
    ordered = labels.sort_by("received_at")
    known = dict(
        zip(
            zip(ordered["prediction_id"].to_pylist(), ordered["row"].to_pylist(), strict=True),
            ordered["label"].to_pylist(),
            strict=True,
        )
    )
    rows = zip(table["prediction_id"].to_pylist(), table["row"].to_pylist(), strict=True)
    return np.array([known.get(row, np.nan) for row in rows], np.float64)
