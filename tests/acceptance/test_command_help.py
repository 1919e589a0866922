"""The installed command: every listed command is there, is described, and help is quick."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from fieldhouse.cli import root
from fieldhouse.commands import TABLE, Entry
from fieldhouse.lazy import load_command
from fieldhouse.rooms import STANDS_ON

COMMAND = Path(sys.executable).parent / "fieldhouse"
HEAVY = {"feast", "pandas", "great_expectations", "sqlalchemy", "duckdb", "pyarrow", "numpy"}


def _entries(table: Mapping[str, Entry] = TABLE, path: str = "") -> list[tuple[str, Entry]]:
    """Each listed command with its path, those of groups that the door makes included."""
    found = []
    for name, entry in table.items():
        found.append((f"{path}{name}", entry))
        found.extend(_entries(entry.children or {}, f"{path}{name} "))
    return found


def _leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands below a group, or the command itself, with their paths."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    ctx = click.Context(command)
    for name in command.list_commands(ctx):
        child = command.get_command(ctx, name)
        assert child is not None
        yield from _leaves(f"{path} {name}", child)


def _name(value: object) -> str:
    return value if isinstance(value, str) else ""


def _modules_after(*words: str) -> set[str]:
    code = (
        "import json, sys; from fieldhouse.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return set(json.loads(ran.stdout.splitlines()[-1]))


def _median_seconds(*command: str | Path, runs: int = 7) -> float:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start

    return statistics.median(once() for _ in range(runs))


@pytest.mark.parametrize(("path", "entry"), _entries(), ids=_name)
def test_every_listed_command_exists(path: str, entry: Entry) -> None:
    assert isinstance(load_command(path.split()[-1], entry), click.Command)


def test_no_command_of_a_room_is_forgotten_in_the_table() -> None:
    listed = {id(load_command(path.split()[-1], entry)) for path, entry in _entries()}
    forgotten = []
    for room in STANDS_ON:
        try:
            module = __import__(f"{room}.cli", fromlist=["cli"])
        except ModuleNotFoundError:
            continue
        found = {n: c for n, c in vars(module).items() if isinstance(c, click.Command)}
        inner = {
            id(child)
            for group in found.values()
            if isinstance(group, click.Group)
            for child in group.commands.values()
        }
        forgotten += [f"{room}.cli:{n}" for n, c in found.items() if id(c) not in inner | listed]
    assert forgotten == []


@pytest.mark.parametrize(("path", "entry"), _entries(), ids=_name)
def test_every_command_has_an_example_and_all_but_servers_speak_json(
    path: str, entry: Entry
) -> None:
    for words, command in _leaves(path, load_command(path.split()[-1], entry)):
        text = command.get_help(click.Context(command, info_name=f"fieldhouse {words}"))
        assert f"fieldhouse {words}" in text.partition("Example")[2], words
        assert "--json" in text or words.startswith("serve"), words


def test_help_imports_nothing_heavy() -> None:
    assert _modules_after("--help") & HEAVY == set()


def test_help_takes_at_most_three_times_as_long_as_importing_click() -> None:
    click_alone = _median_seconds(sys.executable, "-c", "import click")
    assert _median_seconds(COMMAND, "--help") <= 3 * click_alone


def test_the_command_and_the_module_are_the_same() -> None:
    by_name = subprocess.run([COMMAND, "--help"], capture_output=True, text=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "fieldhouse", "--help"], capture_output=True, text=True
    )
    assert (by_name.returncode, by_name.stdout) == (by_module.returncode, by_module.stdout)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert root.main(["--version"], standalone_mode=False) == 0
    assert capsys.readouterr().out.strip() == f"fieldhouse {version('fieldhouse')}"
