"""Data for `bench.training`: histories of three views and a spine, in shapes that joins find hard.

Files lie under the folder asked for and are made once. Nothing is measured here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

START = np.datetime64("2025-01-01T00:00:00", "us").astype(np.int64)
YEAR = 365 * 86_400 * 1_000_000
INSTANT = pa.timestamp("us", tz="UTC")
ROW_GROUP = 122_880


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is: `created` gives histories a created time up to six hours late."""

    name: str
    spine: int
    history: int
    views: int = 3
    features: int = 10
    keys: int = 100_000
    skew: str = "even"
    created: bool = False

    def view(self, number: int) -> str:
        return f"view{number}"

    def feature_names(self, number: int) -> list[str]:
        return [f"v{number}_f{place}" for place in range(self.features)]


def make(shape: Shape, folder: Path) -> Path:
    """The folder of a shape's data: `view0.parquet`, …, and `spine.parquet`."""
    place = folder / shape.name
    if not (place / "spine.parquet").exists():
        place.mkdir(parents=True, exist_ok=True)
        for number in range(shape.views):
            _write_history(shape, number, place / f"{shape.view(number)}.parquet")
        pq.write_table(_spine(shape), place / ".spine", row_group_size=ROW_GROUP)
        (place / ".spine").rename(place / "spine.parquet")
    return place


def _write_history(shape: Shape, number: int, file: Path) -> None:
    """Rows in order of time, as they arrive, written some at a time."""
    random = np.random.default_rng(number)
    step = 1_000_000
    names = shape.feature_names(number)
    with _Writer(file) as writer:
        for start in range(0, shape.history, step):
            rows = min(step, shape.history - start)
            low, high = start / shape.history, (start + rows) / shape.history
            event = np.sort(random.uniform(low, high, rows) * YEAR).astype(np.int64) + START
            columns = {
                f"key{number}": pa.array(_keys(shape, random, rows, start)),
                "event_timestamp": pa.array(event).cast(INSTANT),
            }
            if shape.created:
                late = random.exponential(0.5, rows) * 3600e6
                columns["created"] = pa.array(event + late.astype(np.int64)).cast(INSTANT)
            columns |= {name: pa.array(random.standard_normal(rows)) for name in names}
            writer.write(pa.table(columns))


def _spine(shape: Shape) -> pa.Table:
    random = np.random.default_rng(1_000)
    at = (random.uniform(0.2, 1.0, shape.spine) * YEAR).astype(np.int64) + START
    columns: dict[str, pa.Array] = {"event_timestamp": pa.array(at).cast(INSTANT)}
    for number in range(shape.views):
        columns[f"key{number}"] = pa.array(_keys(shape, random, shape.spine, 0))
    return pa.table({**columns, "label": random.integers(0, 2, shape.spine)})


def _keys(
    shape: Shape, random: np.random.Generator, rows: int, start: int
) -> npt.NDArray[np.int64]:
    if shape.skew == "zipf":
        return (random.zipf(1.3, rows) - 1) % shape.keys
    if shape.skew == "half":  # one key has half of everything
        return np.where(random.random(rows) < 0.5, 0, random.integers(0, shape.keys, rows))
    if shape.skew == "once":  # each key has one row
        return (np.arange(start, start + rows) * 7_919) % shape.history
    return random.integers(0, shape.keys, rows)


class _Writer:
    """A Parquet file that gets its schema from the first table written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, table.schema)
        self.writer.write_table(table, row_group_size=ROW_GROUP)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()
