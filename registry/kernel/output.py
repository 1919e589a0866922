"""What a command prints: data to stdout as text or JSON, talk to stderr. No exit code lives here.

A command takes its `Output` from the decorator `with_output`, which also adds `--json`:

    @click.command()
    @with_output
    def show(out: Output) -> None:
        out.say("reading the registry")
        out.data({"number": 3})
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar

import click

from registry.kernel.clock import format_instant
from registry.kernel.errors import FieldhouseError

R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go. Prints at most one JSON document when `as_json`."""

    as_json: bool = False

    def data(self, value: Any, text: str | None = None) -> None:
        """Print the command's result: `value` as JSON, else `text`, else `value` laid out."""
        if self.as_json:
            click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
            return
        shown = text if text is not None else as_text(plain(value))
        if shown:
            click.echo(shown)

    def say(self, sentence: str) -> None:
        """Talk to the person: progress, advice, warnings. Never part of the result."""
        click.echo(sentence, err=True)

    def error(self, kind: str, message: str, **facts: Any) -> None:
        """Say what went wrong on stderr, and as `{"error": …}` on stdout when `as_json`."""
        click.echo(message, err=True)
        if self.as_json:
            document = {"error": {"kind": kind, "message": message, **plain(facts)}}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))

    def refuse(self, error: FieldhouseError) -> None:
        """Say one of our errors with its parts."""
        self.error(error.kind, str(error), asked=error.asked, found=error.found, hint=error.hint)


def with_output(function: Callable[..., R]) -> Callable[..., R]:
    """Give a click command the option `--json` and, as argument `out`, an `Output`."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, **options: Any) -> R:
        return function(*args, out=Output(as_json), **options)

    return command


def plain(value: Any) -> Any:
    """`value` as JSON knows it: instants in RFC 3339, NaN as null, sets sorted, dataclasses as
    objects, anything unknown as its text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | PurePath):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return _scalar(value.value)
    if hasattr(value, "dtype") and hasattr(value, "item"):  # a numpy scalar
        return _scalar(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return format_instant(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def as_text(value: Any) -> str:
    """Lay out plain data for a person: a list of objects as a table, an object as its facts."""
    if isinstance(value, Mapping):
        return facts_text(value)
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        headers = list(dict.fromkeys(key for row in value for key in row))
        return table_text(headers, [[row.get(key) for key in headers] for row in value])
    return "\n".join(_cell(item) for item in value) if isinstance(value, list) else _cell(value)


def facts_text(facts: Mapping[str, Any]) -> str:
    """One `name  value` line a fact, names in one column."""
    width = max((len(name) for name in facts), default=0)
    return "\n".join(f"{name:<{width}}  {_cell(value)}".rstrip() for name, value in facts.items())


def table_text(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns under their headers, padded with spaces; numbers stand right."""
    body = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in body]
    numeric = [
        bool(body) and all(isinstance(row[i], int | float | None) for row in body)
        for i in range(len(headers))
    ]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        padded = zip(row, widths, numeric, strict=True)
        return "  ".join(t.rjust(w) if right else t.ljust(w) for t, w, right in padded).rstrip()

    return "\n".join(line(row) for row in [list(headers), *cells])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
