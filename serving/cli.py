"""The commands `model …` and `serve models`. Heavy imports wait inside."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import project_settings, token_option
from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.ports import ModelRecord, Principal
    from serving.bootstrap import Serving
    from serving.gate.report import GatePolicy


def _open(own_process: bool = False) -> "Serving":
    from serving.bootstrap import open_serving

    return open_serving(project_settings(), own_process=own_process)


def _principal(room: "Serving", token: str | None, *roles: str) -> "Principal":
    from registry.settings import TOKEN

    return room.registry.authority(token or str(room.settings.get(TOKEN)) or None, *roles)


def _facts(record: "ModelRecord") -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "state": record.state,
        "bundle": record.bundle_digest,
        "by": record.created_by,
        "at": record.created_at,
    }


@click.group()
def model() -> None:
    """Package models, gate them, approve and release them, take them back."""


@model.command()
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

    room = _open()
    actor = _principal(room, token, "author", "owner")
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
    out.data(_facts(room.package(parts, actor=actor.subject)))


@model.command()
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

    room = _open()
    actor = _principal(room, token, "author", "owner")
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
    from serving.gate.report import GatePolicy

    return GatePolicy(rate_per_second=rate, seconds=seconds, p50_ms=p50_ms, p99_ms=p99_ms)


def _line(check: Any) -> dict[str, Any]:
    verdict = "passed" if check.passed else "failed" if check.ran else "could not run"
    return {"check": check.id, "verdict": verdict, "found": check.message}


def _decision(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that approving, rejecting and promoting share."""
    version = click.argument("version")(token_option(with_output(function)))
    return click.argument("name")(version)


@model.command()
@click.option("--comment", required=True, help="What convinced you.")
@_decision
def approve(name: str, version: str, comment: str, token: str | None, out: Output) -> None:
    """Approve a gated version; you must be an owner, and not who packaged or gated it.

    \b
    Example:
      fieldhouse model approve flight_delay 3654e2c49619 --comment "AUC up, latency fine"
    """
    room = _open()
    by = _principal(room, token, "owner")
    out.data(_facts(room.approve(name, version, by, comment)))


@model.command()
@click.option("--reason", required=True, help="Why not.")
@_decision
def reject(name: str, version: str, reason: str, token: str | None, out: Output) -> None:
    """Reject a version for good.

    \b
    Example:
      fieldhouse model reject flight_delay 3654e2c49619 --reason "wrong label"
    """
    room = _open()
    by = _principal(room, token, "owner")
    out.data(_facts(room.reject(name, version, by, reason)))


@model.command()
@_decision
def promote(name: str, version: str, token: str | None, out: Output) -> None:
    """Make an approved version the one that answers.

    \b
    Example:
      fieldhouse model promote flight_delay 3654e2c49619
    """
    room = _open()
    by = _principal(room, token, "owner", "operator", "reliability")
    out.data(_facts(room.promote(name, version, by)))


@model.command()
@click.argument("name")
@click.option("--reason", required=True, help="What went wrong.")
@token_option
@with_output
def rollback(name: str, reason: str, token: str | None, out: Output) -> None:
    """Go back to the version that answered before; the present one is retired.

    \b
    Example:
      fieldhouse model rollback flight_delay --reason "p99 doubled"
    """
    room = _open()
    by = _principal(room, token, "owner", "operator", "reliability")
    out.data(_facts(room.rollback(name, by, reason)))


@model.command("list")
@click.argument("name", required=False)
@with_output
def list_models(name: str | None, out: Output) -> None:
    """List models, their versions and states.

    \b
    Example:
      fieldhouse model list flight_delay
    """
    out.data([_facts(record) for record in _open().registry.models.all(name)])


@click.command("models")
@click.option("--host", help="Address to listen on; else serving.host.")
@click.option("--port", type=int, help="TCP port, 0 takes a free one; else serving.port.")
@click.option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen on as well.")
def serve_models(host: str | None, port: int | None, socket: Path | None) -> None:
    """Serve the champions by the Open Inference Protocol, until Ctrl-C or SIGTERM.

    \b
    Example:
      fieldhouse serve models
      fieldhouse serve models --port 0 --socket /tmp/models.sock
    """
    from featureserver.listen import listen_tcp, listen_unix
    from featureserver.server import address_of, serve
    from registry.kernel.logs import configure_logs
    from serving import settings as names
    from serving.app import create_app

    configure_logs()
    room = _open(own_process=True)
    settings = room.settings
    number = int(settings.get(names.PORT)) if port is None else port
    sockets = [listen_tcp(host or str(settings.get(names.HOST)), number)]
    unix = socket or (settings.path(names.SOCKET) if settings.get(names.SOCKET) else None)
    if unix is not None:
        sockets.append(listen_unix(unix))
    app = create_app(room.predictor(), int(settings.get(names.MAX_BODY_BYTES)))
    for one in sockets:
        click.echo(f"models on {address_of(one)}", err=True)
    serve(app, sockets, int(settings.get(names.DRAIN_SECONDS)))
