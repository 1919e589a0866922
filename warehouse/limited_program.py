"""Runs one of our programs in a process of its own and ends it when its time is over.

A program takes two files: the request, and where it appends one line of JSON for each thing that it
was asked, in order. So what was done before the end still counts.
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from registry.adapters.limited_process import run_limited

T = TypeVar("T")
MOST_BYTES = 64 * 1024 * 1024


def answers_of(program: str, request: object, answer: type[T], seconds: float) -> list[T]:
    """The answers that the module `program` gave to `request` within that time.

    Its environment has paths and language alone. What it leaves running is ended with it. A line
    that is none of its answers ends what is read.
    """
    with tempfile.TemporaryDirectory(prefix="fieldhouse-") as scratch:
        asked, given = Path(scratch, "asked.json"), Path(scratch, "given.jsonl")
        asked.write_bytes(msgspec.json.encode(request))
        arguments = [sys.executable, "-P", "-m", program, str(asked), str(given)]
        run_limited(arguments, folder=Path(scratch), seconds=seconds)
        return list(_read(given, answer))


def _read(file: Path, answer: type[T]) -> Iterable[T]:
    if not file.is_file() or file.is_symlink() or file.stat().st_size > MOST_BYTES:
        return
    for line in file.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=answer)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return


def asked_of(file: str, request: type[T]) -> T:
    """What a program was asked."""
    return msgspec.json.decode(Path(file).read_bytes(), type=request)


def give(file: str, answer: object) -> None:
    """Append an answer, so that it counts even when the next one takes too long."""
    with Path(file).open("ab") as lines:
        lines.write(msgspec.json.encode(answer) + b"\n")
