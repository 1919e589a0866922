"""`model waive`. Heavy imports wait inside."""

from pathlib import Path

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import open_room, principal


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--reason", required=True, help="Why this pickle and no native format.")
@token_option
@with_output
def waive(file: Path, reason: str, token: str | None, out: Output) -> None:
    """Let one pickle, this very file, run in an isolated worker: writes waiver.json beside it.

    \b
    Example:
      fieldhouse model waive model.pkl --reason "no exporter for this estimator yet"
    """
    from serving.waiver import WAIVER, WAIVERS, sign_waiver

    room = open_room()
    by = principal(room, token, *WAIVERS)
    signed = sign_waiver(file.read_bytes(), by, reason, room.signing_key, room.clock())
    target = file.with_name(WAIVER)
    target.write_bytes(signed)
    out.data({"file": str(file), "waiver": str(target), "by": by.subject, "reason": reason})
