"""Audit checkpoints as lines of JSON in a file beside the registry, outside its database."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from registry.core.audit import Checkpoint
from registry.kernel.errors import Corrupt


class CheckpointFile:
    """A `CheckpointBook`. Lines are only ever added; a last line cut short by a crash is passed
    over, since the checkpoint before it still stands."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def keep(self, mark: Checkpoint) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)  # another may be about to cut off what we write
            opened.truncate(_whole_bytes(self._file))
            opened.write(msgspec.json.encode(mark) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())

    def all(self) -> Sequence[Checkpoint]:
        """Raises `Corrupt` naming the line that is none."""
        if not self._file.exists():
            return ()
        lines = self._file.read_bytes().split(b"\n")
        whole = lines[:-1]  # what follows the last line feed is empty, or was never finished
        return [self._mark(line, number) for number, line in enumerate(whole, 1)]

    def _mark(self, line: bytes, number: int) -> Checkpoint:
        try:
            return msgspec.json.decode(line, type=Checkpoint)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Corrupt(
                f"line {number} of {self._file} is no checkpoint",
                str(error),
                "somebody edited it: compare it with a backup",
            ) from error


def _whole_bytes(file: Path) -> int:
    """The length of the file up to the end of its last whole line."""
    return file.read_bytes().rfind(b"\n") + 1
