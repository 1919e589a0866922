"""`model gate`, `model report` and `model list`: what was asked of versions, and what was found."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import token_option
from registry.kernel.errors import Misuse
from registry.kernel.output import Output, with_output
from serving.cli.session import facts_of, open_room, principal

if TYPE_CHECKING:
    from serving.gate.policy import GatePolicy


@click.command()
@click.argument("name")
@click.option("--version", help="Which version; else the newest.")
@click.option("--training-set", required=True, metavar="NAME", help="Where held-out rows are from.")
@click.option("--part", default="test", show_default=True, help="The part that was held out.")
@click.option("--baseline", metavar="COLUMN", help="A column to beat while there is no incumbent.")
@click.option("--slice", "slices", multiple=True, metavar="COLUMN", help="Judge its values apart.")
@click.option("--sample", default=200, show_default=True, help="Entities compared with offline.")
@click.option("--policy", type=click.Path(path_type=Path), help="A TOML file of limits.")
@click.option("--rate", "rate_per_second", type=float, help="Requests per second.")
@click.option("--seconds", type=float, help="How long the load lasts.")
@click.option("--p50-ms", type=float, help="Objective for the median.")
@click.option("--p99-ms", type=float, help="Objective for the 99th percentile.")
@click.option("--margin", type=float, help="How much worse than the incumbent it may be.")
@token_option
@with_output
def gate(
    name: str,
    version: str | None,
    training_set: str,
    part: str,
    baseline: str | None,
    slices: tuple[str, ...],
    sample: int,
    policy: Path | None,
    token: str | None,
    out: Output,
    **limits: float | None,
) -> None:
    """Ask of a version: better? proper? fast enough? fits? same features? Status 1 when not.

    \b
    Example:
      fieldhouse model gate flight_delay --training-set flights --baseline carrier_delay_rate
      fieldhouse model gate flight_delay --training-set flights --slice carrier --policy gate.toml
    """
    from serving.gate.evidence import Evidence
    from serving.offline import heldout_of, sample_keys
    from training.bootstrap import open_training

    room = open_room()
    actor = principal(room, token, "author", "owner")
    record = room.registry.models.get(name, version)
    signature = room.bundle(name, record.version).manifest.signature
    trained = open_training(room.settings, registry=room.registry).load(training_set)
    keys = sample_keys(trained, signature, sample)
    evidence = Evidence(
        heldout_of(trained, part, signature, baseline, slices, room.incumbent_signature(name)),
        room.sample(signature, keys) if signature.refs else None,
    )
    try:
        report = room.gate(
            name,
            record.version,
            evidence,
            _policy(policy, **limits),
            actor=actor.subject,
        )
    finally:
        room.close()
    out.data(report if out.as_json else [_line(check) for check in report.checks])
    out.say(f"{'passed' if report.passed else 'failed'}: report {report.digest}")
    if not report.passed:
        click.get_current_context().exit(1)


def _policy(file: Path | None, **limits: float | None) -> "GatePolicy":
    from serving.gate.policy import read_policy

    try:
        document = tomllib.loads(file.read_text()) if file else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misuse(f"the policy {file} cannot be read", str(error)) from error
    return read_policy(document, **limits)


def _line(check: Any) -> dict[str, Any]:
    verdict = "passed" if check.passed else "failed" if check.ran else "could not run"
    return {"check": check.id, "verdict": verdict, "found": check.message}


@click.command()
@click.argument("name")
@click.option("--version", help="Which version; else the newest.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write its files here."
)
@with_output
def report(name: str, version: str | None, folder: Path | None, out: Output) -> None:
    """Show the newest gate report of a version, or write its JSON, page and manifests to a folder.

    \b
    Example:
      fieldhouse model report flight_delay
      fieldhouse model report flight_delay --to gate
    """
    from serving.reports import report_files

    room = open_room()
    found = room.report(name, version)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in report_files(room, room.registry.models.get(name, version)).items():
            (folder / file).write_bytes(data)
            out.say(str(folder / file))
    out.data(found if out.as_json else [_line(check) for check in found.checks])


@click.command("list")
@click.argument("name", required=False)
@with_output
def list_models(name: str | None, out: Output) -> None:
    """List models, their versions and states.

    \b
    Example:
      fieldhouse model list flight_delay
    """
    out.data([facts_of(record) for record in open_room().registry.models.all(name)])
