"""The access log: a line per lookup over HTTP, kept in memory and written beside the requests.

A request only appends a tuple; turning those into text and writing them is `flush`'s, on a thread.
"""

import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from featureserver.instants import rfc3339

MOST_LINES = 100_000


class Line(msgspec.Struct, gc=False):
    """`at` is when the answer was ready; `seconds` the time since its request had come."""

    at: str
    request_id: str
    caller: str
    service: str
    status: int
    rows: int
    bytes: int
    seconds: float


class AccessLog:
    """Lines for one file, or for stderr (`-`). Workers append to the same file, whole lines each.

    Between two flushes at most `MOST_LINES` are kept; how many more there were is written instead.
    """

    def __init__(self, target: str | Path) -> None:
        self._target = target
        self._lines: list[Any] = []
        self._dropped = 0

    def note(
        self,
        at: float,
        request_id: bytes,
        caller: str,
        service: str,
        status: int,
        rows: int,
        size: int,
        seconds: float,
    ) -> None:
        """One answer; `at` in seconds since 1970, `size` in bytes."""
        if len(self._lines) < MOST_LINES:
            self._lines.append((at, request_id, caller, service, status, rows, size, seconds))
        else:
            self._dropped += 1

    def flush(self) -> None:
        """Write what there is. Raises OSError; those lines are lost then, lookups are not."""
        lines, self._lines = self._lines, []
        dropped, self._dropped = self._dropped, 0
        told: list[object] = [
            Line(rfc3339(int(at * 1e6)), own.decode("latin-1"), caller, service, *numbers)
            for at, own, caller, service, *numbers in lines
        ]
        if dropped:
            told.append({"dropped": dropped})
        if told:
            self._write(msgspec.json.Encoder().encode_lines(told))

    def _write(self, text: bytes) -> None:
        if self._target == "-":
            stream: BinaryIO = sys.stderr.buffer
            stream.write(text)
            stream.flush()
            return
        with Path(self._target).open("ab") as file:
            file.write(text)
