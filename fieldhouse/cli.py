"""The command `fieldhouse`: finds a command's room, runs it, turns its errors into exit codes.

Exit 0 done, 1 refused, 2 misused, 130 interrupted. Imports no room beyond the kernel.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import click

from fieldhouse.commands import TABLE
from fieldhouse.lazy import LazyGroup
from fieldhouse.rooms import RoomHidden, require

DEBUG = "FIELDHOUSE_DEBUG"
REFUSED, MISUSED, INTERRUPTED = 1, 2, 130


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        click.echo(f"fieldhouse {version('fieldhouse')}")
        ctx.exit()


@click.pass_context
def _prepare(ctx: click.Context) -> None:
    """What every command finds ready: logs, and the ports that the registry asks of other rooms."""
    from fieldhouse.joins import command_ports

    _configure_logs()
    ctx.obj = command_ports()


def _configure_logs() -> None:
    """Send logs where settings say; unreadable settings are the command's to complain about."""
    from pathlib import Path

    from fieldhouse.settings import LOG_LEVEL
    from registry.kernel.errors import FieldhouseError
    from registry.kernel.logs import configure_logs
    from registry.kernel.settings import read_settings

    try:
        level = str(read_settings(Path.cwd()).get(LOG_LEVEL)).upper()
        configure_logs(level)
    except (FieldhouseError, ValueError):
        configure_logs("WARNING")


root = LazyGroup(
    "fieldhouse",
    TABLE,
    callback=_prepare,
    help="A governed feature store: from a reviewed definition to a served prediction.",
    epilog="fieldhouse COMMAND --help shows an example of each. "
    f"{DEBUG}=1 shows where an error came from.",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` when None) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        require("registry")
    except RoomHidden as hidden:  # the kernel itself is hidden: nothing of ours can be loaded
        print(hidden, file=sys.stderr)  # noqa: T201
        return REFUSED
    if not sys.warnoptions and DEBUG not in os.environ:
        warnings.simplefilter("ignore")  # our users can do nothing about our libraries' warnings
    return run(root, given)


def run(command: click.Command, arguments: list[str]) -> int:
    """Run `command`; errors become a message and a code, never a traceback."""
    try:
        code = command.main(arguments, prog_name="fieldhouse", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        return _explain(error, as_json=_asked_for_json(arguments))
    return code if isinstance(code, int) else 0


def _asked_for_json(arguments: Sequence[str]) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _explain(error: Exception, as_json: bool) -> int:
    """Say the error in the right voice and choose its exit code."""
    from registry.kernel.errors import FieldhouseError, Misuse
    from registry.kernel.output import Output

    out = Output(as_json)
    if isinstance(error, FieldhouseError):
        out.refuse(error)
        return MISUSED if isinstance(error, Misuse) else REFUSED
    if isinstance(error, click.UsageError):
        out.error("Misuse", _usage(error))
        return MISUSED
    if isinstance(error, click.ClickException):
        out.error(type(error).__name__, error.format_message())
        return error.exit_code
    if isinstance(error, RoomHidden):
        out.error("RoomHidden", str(error), room=error.room, found=str(error.intruder))
        return REFUSED
    kind = type(error).__name__
    hint = f"this is a fault of Fieldhouse's; {DEBUG}=1 shows where it happened"
    out.error("Fault", f"{kind}: {error}\n  {hint}", cause=kind)
    return REFUSED


def _usage(error: click.UsageError) -> str:
    """A usage error's own words and where to read on. A group called bare is its help."""
    message = error.format_message()
    if error.ctx is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return message
    return f"{message}\n  {error.ctx.get_usage()}\n  see {error.ctx.command_path} --help"
