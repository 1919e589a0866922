"""The prediction log: a bounded queue and a background thread that writes segments. Never blocks.

A prediction that finds the queue full is dropped and counted; a segment appears whole or not at
all. What was predicted in the last flush interval is lost when the process is killed.
"""

import logging
import threading
from collections import deque
from pathlib import Path

from serving.logged import LogEntry

logger = logging.getLogger(__name__)


class PredictionLog:
    """Takes entries from the hot path and writes them to `folder/<model>/<version>/*.parquet`.

    `capacity` is how many predicted rows are held at most.
    """

    def __init__(self, folder: Path, capacity: int = 20_000, flush_seconds: float = 5.0) -> None:
        self.folder = folder
        self.capacity = capacity
        self.dropped = 0
        self._flush_seconds = flush_seconds
        self._queue: deque[LogEntry] = deque()
        self._rows = 0
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def offer(self, entry: LogEntry) -> None:
        """Take an entry, or count it as dropped when the queue is full."""
        rows = len(entry.values)
        with self._counting:
            if self._rows + rows > self.capacity:
                self.dropped += 1
                return
            self._rows += rows
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
            self._write(model, version, entries)
        with self._counting:
            self._rows -= sum(len(entry.values) for entry in taken)

    def _write(self, model: str, version: str, entries: list[LogEntry]) -> None:
        # Imported here, in the background: a server is ready before Parquet is.
        from serving.segments import prediction_table, write_segment

        try:
            write_segment(self.folder / model / version, prediction_table(entries), entries[0].at)
        except Exception as error:  # the log must not take the server down
            with self._counting:
                self.dropped += len(entries)
            logger.warning(
                f"{len(entries)} predictions of {model} could not be logged: {error}",
                extra={"action": "log:dropped", "model": model, "entries": len(entries)},
            )
