"""Progress of long work: a bar where stderr is a terminal, a log line now and then otherwise."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

logger = logging.getLogger(__name__)
_LINE_EVERY_SECONDS = 5.0


class Progress(Protocol):
    """What long work is given to report with."""

    def advance(self, units: int = 1) -> None: ...


class _Bar:
    def __init__(self, label: str, total: int | None) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, desc=label, unit_scale=True, leave=False, file=sys.stderr)

    def advance(self, units: int = 1) -> None:
        self._bar.update(units)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, label: str, total: int | None) -> None:
        self._label, self._total = label, total
        self._done = 0
        self._last = time.monotonic()

    def advance(self, units: int = 1) -> None:
        self._done += units
        if time.monotonic() - self._last >= _LINE_EVERY_SECONDS:
            self._last = time.monotonic()
            self._say()

    def _say(self) -> None:
        of = f" of {self._total}" if self._total else ""
        logger.info(
            f"{self._label}: {self._done}{of}", extra={"action": "progress", "done": self._done}
        )

    def close(self) -> None:
        """Nothing to tidy: lines stay where they are."""


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Progress]:
    """Show work under way; `total` in the same units that `advance` is called with, or None."""
    shown = _Bar(label, total) if sys.stderr.isatty() else _Lines(label, total)
    try:
        yield shown
    finally:
        shown.close()
