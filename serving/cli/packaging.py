"""`model package`, `model restore`, `model rebuild`: bundles, from files and back to them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import facts_of, open_room, principal

if TYPE_CHECKING:
    from serving.packing import PackageSpec


@click.command()
@click.argument("name", required=False)
@click.option("--spec", type=click.Path(path_type=Path), help="A TOML file that says all of this.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="The model.")
@click.option("--service", metavar="NAME", help="The feature service it reads.")
@click.option("--training-set", metavar="NAME", help="What it was trained on.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="A feature it reads.")
@click.option("--output", default="probability", show_default=True, help="The output's name.")
@click.option("--range", "limits", nargs=2, type=float, default=(0.0, 1.0), show_default=True)
@click.option("--task", default="binary", show_default=True, help="Or multiclass, or regression.")
@click.option("--code", multiple=True, type=click.Path(path_type=Path), help="Training code.")
@click.option("--lock", type=click.Path(path_type=Path), help="The lock the code ran under.")
@token_option
@with_output
def package(
    name: str | None, spec: Path | None, token: str | None, out: Output, **options: Any
) -> None:
    """Package a model as its next version: signed, stored, copied to the backup, registered.

    Give a specification, or NAME with --file, --service and --training-set. Without columns the
    model's row is every numeric feature of the service, in its order. The first --code file is
    what `model rebuild` runs.

    \b
    Example:
      fieldhouse model package --spec flight_delay.toml
      fieldhouse model package delay --file model.ubj --service flights --training-set flights
    """
    from serving.packing import read_spec

    room = open_room()
    actor = principal(room, token, "author", "owner")
    if spec is not None:
        record = room.package_spec(read_spec(spec), spec.parent, actor=actor.subject)
    else:
        made = _spec_of(name, **options)
        record = room.package_spec(made, Path.cwd(), actor=actor.subject)
    out.data(facts_of(record))


def _spec_of(
    name: str | None,
    file: Path | None,
    service: str | None,
    training_set: str | None,
    columns: Sequence[str],
    output: str,
    limits: tuple[float, float],
    task: str,
    code: Sequence[Path],
    lock: Path | None,
) -> "PackageSpec":
    from serving.packing import OutputSpec, PackageSpec

    if not (name and file and service and training_set):
        raise click.UsageError("give --spec, or NAME with --file, --service and --training-set")
    return PackageSpec(
        name=name,
        file=str(file),
        service=service,
        training_set=training_set,
        columns=tuple(columns),
        outputs=(OutputSpec(output, low=limits[0], high=limits[1]),),
        task=task,
        code=tuple(map(str, code)),
        lock=str(lock) if lock else None,
    )


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@token_option
@with_output
def restore(name: str, version: str | None, token: str | None, out: Output) -> None:
    """Bring a version, or all that the backup has, back into the store, verified on the way.

    One that the registry lost as well is registered as packaged, to be gated and approved anew.

    \b
    Example:
      fieldhouse model restore flight_delay
      fieldhouse model restore flight_delay 3654e2c49619
    """
    room = open_room()
    actor = principal(room, token, "operator", "reliability")
    out.data(list(room.restore(name, version, actor=actor.subject)))


@click.command()
@click.argument("name")
@click.option("--version", help="Which version; else the newest.")
@click.option("--part", default="test", show_default=True, help="The part to compare on.")
@click.option("--venv", is_flag=True, help="In a new environment made from the bundle's lock.")
@click.option("--tolerance", default=0.001, show_default=True, help="Of the metric.")
@click.option("--prediction-tolerance", default=1e-6, show_default=True, help="Of any prediction.")
@token_option
@with_output
def rebuild(
    name: str,
    version: str | None,
    part: str,
    venv: bool,
    tolerance: float,
    prediction_tolerance: float,
    token: str | None,
    out: Output,
) -> None:
    """Run a bundle's training code on its training set and compare. Status 1 when they differ.

    The code runs in a fresh process that inherits no environment; with --venv under exactly the
    packages of its lock.

    \b
    Example:
      fieldhouse model rebuild flight_delay
      fieldhouse model rebuild flight_delay --venv
    """
    from serving.rebuild import Tolerance

    room = open_room()
    actor = principal(room, token, "author", "owner", "operator", "reliability")
    limits = Tolerance(tolerance, prediction_tolerance)
    found = room.rebuild(name, version, limits, part=part, venv=venv, actor=actor.subject)
    out.data(found)
    if not found.passed:
        click.get_current_context().exit(1)
