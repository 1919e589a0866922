"""Writes the pages of docs/ that are made from the code, so that they cannot be wrong.

`python -m fieldhouse.docs` writes them; a test compares. Decides no words: those are in help texts
and in the `doc` of each setting.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import click

from fieldhouse.commands import TABLE, Entry
from fieldhouse.lazy import load_command
from fieldhouse.settings import BOOT_VARIABLES, OPEN_TABLES, all_settings
from registry.kernel.output import Output
from registry.kernel.settings import Setting
from registry.reports.pages import lifecycle_page, rules_page

FOLDER = Path(__file__).resolve().parent.parent / "docs"
WIDTH = 90
_MADE = "<!-- Made by `python -m fieldhouse.docs`; edit the code instead. -->"
_COMMANDS = """\
# Commands

Each takes `--json`: the result as one JSON document on stdout, talk on stderr. Exit 0 is done, 1
refused, 2 misused, 130 interrupted. `FIELDHOUSE_DEBUG=1` shows where an error came from.
"""
_SETTINGS = """\
# Settings

Kept in `fieldhouse.toml` beside `feature_repo/`; the nearest one at or above the working folder is
read. An environment variable wins over the file, the file over the default. `fieldhouse doctor`
prints what is in force and where it comes from. Relative paths start at the file's folder.
"""


def commands_page() -> str:
    """docs/commands.md: the help of every command, in the order of the table."""
    parts = [_MADE, "", _COMMANDS]
    for section, group in groupby(TABLE.items(), key=lambda item: item[1].section):
        parts.append(f"## {section}\n")
        for name, entry in group:
            parts.extend(_helps(f"fieldhouse {name}", entry))
    return "\n".join(parts)


def _helps(path: str, entry: Entry) -> Iterator[str]:
    for words, command in leaves(path, load_command(path.split()[-1], entry)):
        context = click.Context(command, info_name=words, terminal_width=WIDTH)
        yield f"### `{words}`\n\n```text\n{command.get_help(context)}\n```\n"


def leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands below a group with the words that call them, or the command itself."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None:
            yield from leaves(f"{path} {name}", child)


def settings_page() -> str:
    """docs/settings.md: every setting with its variable, default and sentence, by section."""
    parts = [_MADE, "", _SETTINGS]
    by_section: dict[str, list[Setting]] = {}
    for setting in all_settings():
        by_section.setdefault(setting.section, []).append(setting)
    for section, settings in by_section.items():
        rows = [(f"`{s.key}`", f"`{s.env}`", _default(s), s.doc) for s in settings]
        parts.append(f"## [{section}]\n\n{_table(('key', 'environment', 'default', ''), rows)}\n")
    parts.append(f"## Tables of your own names\n\n{_pairs(OPEN_TABLES)}\n")
    parts.append(f"## Environment alone\n\n{_pairs(BOOT_VARIABLES)}\n")
    return "\n".join(parts)


def _default(setting: Setting) -> str:
    if setting.default in ("", None, []):
        return "none"
    text = str(setting.default)
    return f"`{text.lower() if isinstance(setting.default, bool) else text}`"


def _pairs(pairs: Mapping[str, str]) -> str:
    return _table(("name", ""), [(f"`{name}`", doc) for name, doc in pairs.items()])


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "rules.md": lambda: f"{_MADE}\n\n{rules_page()}",
    "lifecycle.md": lambda: f"{_MADE}\n\n{lifecycle_page()}",
}


if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page())
        Output().say(f"wrote {FOLDER / file}")
    sys.exit(0)
