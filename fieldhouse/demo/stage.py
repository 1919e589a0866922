"""What the demo plays on: settings, a home of its own, a voice. Clears up behind itself."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import click

from registry.kernel.errors import Misuse, Refused
from registry.kernel.settings import Settings, read_settings
from registry.settings import HOME, REPOSITORY

MARKER = "made-by-the-demo"
# Costly to make and the same at each run: kept between runs.
_STOPPING = (signal.SIGINT, signal.SIGTERM)
KEPT = frozenset({"cache", "warehouse"})


@dataclass
class Stage:
    """The demo's surroundings. `facts` gathers what the summary tells; `held` is closed last."""

    settings: Settings
    talk: bool
    held: ExitStack
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.settings.path(HOME)

    def say(self, line: str = "") -> None:
        """Narrate: to stdout, or to stderr where stdout is kept for the JSON summary."""
        click.echo(line, err=not self.talk)

    @contextmanager
    def step(self, number: int, title: str) -> Iterator[None]:
        """Announce a step, and say afterwards how long it took."""
        self.say(f"\n[{number}/8] {title}")
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.facts.setdefault("seconds", {})[title] = round(seconds, 2)
        self.say(f"      {seconds:.1f} s")

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Say facts one a line, aligned."""
        width = max(map(len, facts))
        for name, value in facts.items():
            self.say(f"      {name:<{width}}  {value}")


@contextmanager
def open_stage(start: Path, talk: bool) -> Iterator[Stage]:
    """The stage in an empty home; what was started on it is stopped at the end, come what may.

    Raises `Misuse` outside a checkout of Fieldhouse and `Refused` when the home holds somebody's
    own registry.
    """
    settings = read_settings(start, _environ())
    _check_example(settings)
    _empty_home(settings.path(HOME))
    with _stoppable(), ExitStack() as held:
        yield Stage(settings, talk, held)


def _environ() -> dict[str, str]:
    """The environment without our own variables: the demo is the same whatever is set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FIELDHOUSE_")}


def _check_example(settings: Settings) -> None:
    folder = settings.path(REPOSITORY)
    if not (folder / "services.py").is_file() or settings.file is None:
        raise Misuse(
            "the demo plays on the flights example",
            f"there is none at {folder}",
            "run it in a checkout of Fieldhouse; for data of your own: fieldhouse init",
        )


def _empty_home(home: Path) -> None:
    if (home / "registry.db").exists() and not (home / MARKER).exists():
        raise Refused(
            f"{home} holds a registry that the demo did not make",
            hint="move it away, or set FIELDHOUSE_CONFIG to another fieldhouse.toml",
        )
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).write_text("Everything here was made by `fieldhouse demo`, which empties it.\n")
    for entry in home.iterdir():
        if entry.name in KEPT or entry.name == MARKER:
            continue
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that servers are stopped on the way.

    A library that is interrupted may raise an error of its own instead: that is Ctrl-C too.
    """
    asked = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _STOPPING}
    try:
        yield
    except Exception as error:
        if asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
