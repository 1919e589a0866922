"""A click group that knows its commands from a table and imports one only when it is called."""

from collections.abc import Mapping

import click

from fieldhouse.commands import Entry
from fieldhouse.rooms import load


class LazyGroup(click.Group):
    """Lists and describes commands without loading them."""

    def __init__(self, name: str, table: Mapping[str, Entry], **attributes: object) -> None:
        super().__init__(name, **attributes)  # type: ignore[arg-type]
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table.get(cmd_name)
        return None if entry is None else load_command(cmd_name, entry)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            raise click.UsageError(_unknown(name, self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.table), default=0)
        for section in dict.fromkeys(entry.section for entry in self.table.values()):
            rows = [
                (name.ljust(width), entry.summary)
                for name, entry in self.table.items()
                if entry.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows)


def load_command(name: str, entry: Entry) -> click.Command:
    """Import the command of an entry; a group of several rooms' commands is made here.

    Raises `fieldhouse.rooms.RoomHidden` when another module hides the room.
    """
    if entry.children is not None:
        return LazyGroup(name, entry.children, help=f"{entry.summary.capitalize()}.")
    module, _, attribute = entry.target.partition(":")
    command: click.Command = getattr(load(module), attribute)
    return command


def _unknown(name: str, table: Mapping[str, Entry]) -> str:
    from registry.kernel.errors import nearest_names

    nearest = nearest_names(name, table)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"there is no command {name!r}.{hint}"
