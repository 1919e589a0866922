"""The prediction log: a bounded queue, a background thread, Parquet segments. Never blocks.

A prediction that finds the queue full is dropped and counted; a segment appears whole or not at
all. What was predicted in the last flush interval is lost when the process is killed.
"""

import logging
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from serving.signature import Signature
from serving.tensors import Array

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One answered request of n rows: `values` float64 [n, width], `keys` and outputs by name."""

    prediction_id: str
    at: datetime
    version: str
    signature: Signature
    model: str
    keys: Mapping[str, list[Any]]
    values: NDArray[np.float64]
    outputs: Mapping[str, Array]
    seconds: float
    oldest_age_seconds: float | None
    missing: int
    stale: int


class PredictionLog:
    """Takes entries from the hot path and writes them to `folder/<model>/<version>/*.parquet`."""

    def __init__(self, folder: Path, capacity: int = 20_000, flush_seconds: float = 5.0) -> None:
        self.folder = folder
        self.capacity = capacity
        self.dropped = 0
        self._flush_seconds = flush_seconds
        self._queue: deque[LogEntry] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def offer(self, entry: LogEntry) -> None:
        """Take an entry, or count it as dropped when the queue is full."""
        if len(self._queue) >= self.capacity:
            self.dropped += 1
        else:
            self._queue.append(entry)

    def close(self) -> None:
        """Write what is queued and stop. Calling it again does nothing."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._flush_seconds):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        taken = [self._queue.popleft() for _ in range(len(self._queue))]
        groups: dict[tuple[str, str], list[LogEntry]] = {}
        for entry in taken:
            groups.setdefault((entry.model, entry.version), []).append(entry)
        for (model, version), entries in groups.items():
            try:
                write_segment(self.folder / model / version, entries)
            except Exception as error:  # the log must not take the server down
                self.dropped += len(entries)
                logger.warning(
                    f"{len(entries)} predictions of {model} could not be logged: {error}",
                    extra={"action": "log:dropped", "model": model, "entries": len(entries)},
                )


def write_segment(folder: Path, entries: list[LogEntry]) -> Path:
    """Write entries of one model version as one Parquet file, which appears whole."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    stamp = entries[0].at.strftime("%Y%m%dT%H%M%S")
    file = folder / f"{stamp}-{uuid.uuid4().hex}.parquet"
    draft = file.with_suffix(".draft")
    try:
        pq.write_table(segment_table(entries), draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file


def segment_table(entries: list[LogEntry]) -> "pa.Table":
    """One row per predicted row; key, feature and output columns carry a prefix each."""
    import pyarrow as pa

    sizes = [len(entry.values) for entry in entries]
    columns: dict[str, Any] = {
        "prediction_id": _repeat([entry.prediction_id for entry in entries], sizes),
        "row": [row for size in sizes for row in range(size)],
        "at": pa.array(
            _repeat([entry.at for entry in entries], sizes), pa.timestamp("us", tz="UTC")
        ),
        "version": _repeat([entry.version for entry in entries], sizes),
        "seconds": _repeat([entry.seconds for entry in entries], sizes),
        "oldest_age_seconds": pa.array(
            _repeat([entry.oldest_age_seconds for entry in entries], sizes), pa.float64()
        ),
        "missing": _repeat([entry.missing for entry in entries], sizes),
        "stale": _repeat([entry.stale for entry in entries], sizes),
    }
    columns.update(_key_columns(entries))
    columns.update(_feature_columns(entries))
    columns.update(_output_columns(entries))
    return pa.table(columns)


def _repeat(values: list[Any], sizes: list[int]) -> list[Any]:
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def _key_columns(entries: list[LogEntry]) -> dict[str, Any]:
    columns = {}
    for tensor in entries[0].signature.keys:
        columns[f"key:{tensor.name}"] = [
            value
            for entry in entries
            for value in _masked(entry.keys.get(tensor.name), len(entry.values), tensor.sensitive)
        ]
    return columns


def _masked(values: list[Any] | None, rows: int, sensitive: bool) -> list[Any]:
    return [None] * rows if values is None or sensitive else values


def _feature_columns(entries: list[LogEntry]) -> dict[str, Any]:
    """One column a feature, null where the value is missing or the feature is sensitive."""
    import pyarrow as pa

    table = np.concatenate([entry.values for entry in entries])
    columns: dict[str, Any] = {}
    at = 0
    for tensor in entries[0].signature.columns:
        for place in range(tensor.width):
            name = tensor.name if tensor.width == 1 else f"{tensor.name}[{place}]"
            values = table[:, at]
            hidden = np.ones(len(values), bool) if tensor.sensitive else np.isnan(values)
            columns[f"feature:{name}"] = pa.array(values, pa.float64(), mask=hidden)
            at += 1
    return columns


def _output_columns(entries: list[LogEntry]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for output in entries[0].signature.outputs:
        found = np.concatenate([entry.outputs[output.name] for entry in entries])
        columns[f"output:{output.name}"] = found.tolist()
    return columns
