"""`model package`, `model gate` and `model list`. Heavy imports wait inside."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import facts_of, open_room, principal

if TYPE_CHECKING:
    from serving.gate.policy import GatePolicy


@click.command()
@click.argument("name")
@click.option("--file", "file", required=True, type=click.Path(path_type=Path), help="The model.")
@click.option("--service", required=True, metavar="NAME", help="The feature service it reads.")
@click.option("--training-set", required=True, metavar="NAME", help="What it was trained on.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="A feature it reads.")
@click.option("--output", default="probability", show_default=True, help="The output's name.")
@click.option("--range", "limits", nargs=2, type=float, default=(0.0, 1.0), show_default=True)
@click.option("--code", multiple=True, type=click.Path(path_type=Path), help="Training code.")
@click.option("--lock", type=click.Path(path_type=Path), help="The lock the code ran under.")
@token_option
@with_output
def package(
    name: str,
    file: Path,
    service: str,
    training_set: str,
    columns: tuple[str, ...],
    output: str,
    limits: tuple[float, float],
    token: str | None,
    out: Output,
    **pipeline: Any,
) -> None:
    """Package the model in a file as the next version of NAME, signed and stored.

    Without --column the model's row is every numeric feature of the service, in its order.

    \b
    Example:
      fieldhouse model package delay --file model.ubj --service flights --training-set flights
    """
    from serving.offline import column_names, matrix_of
    from serving.package import Parts
    from serving.signature import Output as OutputTensor
    from training.bootstrap import open_training

    room = open_room()
    actor = principal(room, token, "author", "owner")
    tensor = OutputTensor(output, "FP32", (-1,), *limits)
    signature = room.signature(service, [tensor], list(columns) or None)
    trained = open_training(room.settings, registry=room.registry).load(training_set)
    rows = matrix_of(trained.to_arrow(), column_names(trained, signature))
    parts = Parts(
        name=name,
        model_file=file,
        signature=signature,
        golden_rows=rows[:: max(1, len(rows) // 32)][:32],
        reference=rows,
        service=service,
        trained_on=room.trained_on(training_set),
        **pipeline,
    )
    out.data(facts_of(room.package(parts, actor=actor.subject)))


@click.command()
@click.argument("name")
@click.option("--version", help="Which version; else the newest.")
@click.option("--training-set", required=True, metavar="NAME", help="Where held-out rows are from.")
@click.option("--part", default="test", show_default=True, help="The part that was held out.")
@click.option("--baseline", metavar="COLUMN", help="A column to beat while there is no incumbent.")
@click.option("--sample", default=200, show_default=True, help="Entities compared with offline.")
@click.option("--rate", default=200.0, show_default=True, help="Requests per second.")
@click.option("--seconds", default=2.0, show_default=True, help="How long the load lasts.")
@click.option("--p50-ms", default=5.0, show_default=True, help="Objective for the median.")
@click.option(
    "--p99-ms", default=50.0, show_default=True, help="Objective for the 99th percentile."
)
@token_option
@with_output
def gate(
    name: str,
    version: str | None,
    training_set: str,
    part: str,
    baseline: str | None,
    sample: int,
    token: str | None,
    out: Output,
    **objectives: float,
) -> None:
    """Ask of a version: better? proper? fast enough? fits? same features? Status 1 when not.

    \b
    Example:
      fieldhouse model gate flight_delay --training-set flights --baseline carrier_delay_rate
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
        heldout_of(trained, part, signature, baseline),
        room.sample(signature, keys) if signature.refs else None,
    )
    try:
        report = room.gate(
            name, record.version, evidence, _policy(**objectives), actor=actor.subject
        )
    finally:
        room.close()
    out.data(report if out.as_json else [_line(check) for check in report.checks])
    out.say(f"{'passed' if report.passed else 'failed'}: report {report.digest}")
    if not report.passed:
        click.get_current_context().exit(1)


def _policy(rate: float, seconds: float, p50_ms: float, p99_ms: float) -> "GatePolicy":
    from serving.gate.policy import GatePolicy

    return GatePolicy(rate_per_second=rate, seconds=seconds, p50_ms=p50_ms, p99_ms=p99_ms)


def _line(check: Any) -> dict[str, Any]:
    verdict = "passed" if check.passed else "failed" if check.ran else "could not run"
    return {"check": check.id, "verdict": verdict, "found": check.message}


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
