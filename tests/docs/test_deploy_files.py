"""What deploy/ shows is true: commands, options and settings that it names exist."""

import configparser
import re
import shlex
from pathlib import Path

import click

from fieldhouse.cli import root
from fieldhouse.settings import all_settings

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def _unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "fieldhouse-features.service")
    return parser


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words call, and the words left for it."""
    command: click.Command = root
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    return command, words


def test_the_unit_starts_a_command_that_exists_with_options_that_it_has() -> None:
    _, *words = shlex.split(_unit()["Service"]["ExecStart"])
    command, left = _command(words)
    context = command.make_context("serve", left)
    assert str(context.params["socket"]) == "/run/fieldhouse/features.sock"


def test_the_unit_may_write_where_the_command_writes_and_nowhere_else() -> None:
    service = _unit()["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["RuntimeDirectory"] == "fieldhouse"  # holds the socket
    assert service["ReadWritePaths"] == f"{service['WorkingDirectory']}/.fieldhouse"


def test_every_variable_that_is_named_is_a_setting() -> None:
    named = set(re.findall(r"FIELDHOUSE_[A-Z_]+", (DEPLOY / "README.md").read_text()))
    assert named <= {setting.env for setting in all_settings()}
    assert named
