"""Commands that make or remove files: build, join, export, remove, gc."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from registry.cli.session import token_option
from registry.kernel.errors import Misuse
from registry.kernel.output import Output, with_output
from training.cli.group import training_here
from training.cli.looking import tell

if TYPE_CHECKING:
    from training.request import Options
    from training.served import AsServed
    from training.splits import Splits

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("parquet", "csv", "arrow")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--spine", required=True, help="Parquet file or glob, or a SELECT.")
@click.option("--service", help="The feature service whose features to join.")
@click.option("--features", multiple=True, help="view:feature; repeat, or separate by commas.")
@click.option("--time-column", default="event_timestamp", show_default=True)
@click.option("--rows", type=int, help="Rows in memory at a time; what fits unless said.")
@with_output
def join(
    out: Output,
    file: Path,
    spine: str,
    service: str | None,
    features: Sequence[str],
    time_column: str,
    rows: int | None,
) -> None:
    """Join features to a spine of any size into a Parquet file; no training set is made of it.

    \b
    Example:
      fieldhouse dataset join scored.parquet --spine 'requests/*.parquet' --service flight_delay
    """
    asked = _one_of(("--service", service), ("--features", _listed(features)))
    count = training_here().stream(spine, asked, file, time_column, rows)
    out.data({"file": str(file), "rows": count}, f"{count:,} rows in {file}")


def _when(function: F) -> F:
    """The options that say when features and label are known."""
    options = (
        click.option("--as-of", metavar="INSTANT", help="Hold created times against this instant."),
        click.option("--as-served", is_flag=True, help="Values of the last materialization."),
        click.option("--served-every", type=float, help="Its interval in seconds."),
        click.option("--served-offset", type=float, default=0.0, help="Its offset in seconds."),
        click.option("--served-lag", type=float, default=0.0, help="How long a run takes."),
        click.option("--label-delay-hours", type=float, help="From a row's time until its label."),
        click.option("--label-known-at", metavar="COLUMN", help="The spine says when it is known."),
        click.option("--refuse-immature", is_flag=True, help="Do not leave such rows out: refuse."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@click.option("--name", required=True, help="The new set's name.")
@click.option("--spine", help="Parquet file or glob with keys, times and label.")
@click.option("--spine-sql", help="A SELECT over the warehouse that gives the same.")
@click.option("--service", help="The feature service whose features to join.")
@click.option("--features", multiple=True, help="view:feature; repeat, or separate by commas.")
@click.option("--label", help="The label's column.")
@click.option("--time-column", default="event_timestamp", show_default=True)
@click.option("--time-zone", default="UTC", show_default=True, help="Of times that carry none.")
@_when
@click.option(
    "--split",
    "splits",
    multiple=True,
    help="NAME=INSTANT, the last NAME= alone; with --split-by NAME=SHARE.",
)
@click.option("--split-by", metavar="COLUMN", help="Keep rows of a group in one part.")
@click.option("--gap-hours", default=0.0, help="Hours before each split's end to leave out.")
@click.option("--allow-deprecated", metavar="REASON", help="Use deprecated features all the same.")
@with_output
def build(
    out: Output,
    name: str,
    spine: str | None,
    spine_sql: str | None,
    service: str | None,
    features: Sequence[str],
    label: str | None,
    time_column: str,
    **options: Any,
) -> None:
    """Join features to each spine row as they were known at the row's time.

    \b
    Example:
      fieldhouse dataset build --name delays --spine flights.parquet \\
        --service flight_delay --label late --split train=2013-09-01T00:00:00Z --split test=
    """
    made = training_here().build(
        name,
        _one_of(("--spine", spine), ("--spine-sql", spine_sql)),
        _one_of(("--service", service), ("--features", _listed(features))),
        label,
        time_column,
        **_options(options),
    )
    out.say(f"kept in {made.folder}")
    tell(out, made)


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--format", "shape", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--part", help="One part of its split alone.")
@with_output
def export(out: Output, name: str, folder: Path, shape: Any, part: str | None) -> None:
    """Write a set into a folder for other tools, with a sidecar of its schema.

    \b
    Example:
      fieldhouse dataset export delays out --format csv
    """
    from training.export import export as write

    made = training_here().load(name)
    data, sidecar = write(made if part is None else made.split(part), folder, shape)
    out.data({"data": str(data), "schema": str(sidecar)}, f"{data}\n{sidecar}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be removed.")
@with_output
def gc(out: Output, dry_run: bool) -> None:
    """Remove snapshots that no training set is rebuilt from. Sets themselves stay.

    \b
    Example:
      fieldhouse dataset gc --dry-run
    """
    from training.cli.text import garbage_text

    found = training_here().collect(dry_run)
    out.data(found, garbage_text(found))


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; the audit keeps it.")
@token_option
@with_output
def remove(out: Output, name: str, reason: str, token: str | None) -> None:
    """Remove a training set for good. Refused while a model was trained on it.

    Takes a person with role steward. Its snapshots go with the next `fieldhouse dataset gc`.

    \b
    Example:
      fieldhouse dataset remove alarms --reason "the customer asked to be forgotten"
    """
    from registry.bootstrap import open_registry
    from registry.cli.session import principal_here, project_settings
    from training.bootstrap import open_training

    settings = project_settings()
    registry = open_registry(settings)
    principal = principal_here(registry, settings, token, "steward")
    open_training(settings, registry).remove(name, principal, reason)
    out.data({"removed": name}, f"removed {name}; fieldhouse dataset gc frees its snapshots")


def _options(given: dict[str, Any]) -> "Options":
    from registry.kernel.clock import parse_instant

    hours = given["label_delay_hours"]
    return {
        "splits": _splits(given["splits"], given["gap_hours"], given["split_by"]),
        "time_zone": given["time_zone"],
        "as_of": parse_instant(given["as_of"]) if given["as_of"] else None,
        "as_served": _served(given),
        "label_delay": None if hours is None else hours * 3600,
        "label_known_at": given["label_known_at"],
        "immature": "refuse" if given["refuse_immature"] else "leave-out",
        "allow_deprecated": given["allow_deprecated"],
    }


def _served(given: dict[str, Any]) -> "AsServed | None":
    from registry.kernel.settings import read_settings
    from registry.settings import INTERVAL
    from training.served import AsServed

    every = given["served_every"]
    if not given["as_served"] and every is None:
        return None
    if every is None:
        every = float(read_settings(Path.cwd()).get(INTERVAL))
    return AsServed(
        interval_seconds=every,
        offset_seconds=given["served_offset"],
        lag_seconds=given["served_lag"],
    )


def _one_of(*options: tuple[str, Any]) -> Any:
    given = [(name, value) for name, value in options if value]
    if len(given) != 1:
        names = " or ".join(name for name, _ in options)
        found = f"found {' and '.join(name for name, _ in given) or 'neither'}"
        raise Misuse(f"give one of {names}", found)
    return given[0][1]


def _listed(features: Sequence[str]) -> list[str]:
    return [ref.strip() for text in features for ref in text.split(",") if ref.strip()]


def _splits(texts: Sequence[str], gap_hours: float, group: str | None) -> "Splits | None":
    from registry.kernel.clock import parse_instant
    from training.splits import split_by_group, split_by_time

    if not texts:
        return None
    parts = [text.partition("=") for text in texts]
    if group is not None:
        return split_by_group(group, {name: _share(share) for name, _, share in parts})
    ends = {name: parse_instant(end) if end else None for name, _, end in parts}
    return split_by_time(ends, gap_seconds=gap_hours * 3600)


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise Misuse(f"{text!r} is not a share", hint="write NAME=0.8") from error
