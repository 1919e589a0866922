"""`pr sample` and `pr compute`: comparing the values of on-demand features whose code changed.

Nobody has reviewed that code. So one job that has the registry reads its inputs, another one that
has no secret runs it, and what it gives is data to the comment.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.core.definitions import Repository
    from registry.core.value_diff import ChangedComputed
    from registry.kernel.settings import Settings
    from registry.ports import ValuePreview

_FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--definitions", "definitions_file", required=True, type=_FILE,
    help="What `pr definitions` wrote.",
)  # fmt: skip
@click.option("--out", "file", required=True, type=_FILE, help="Where to write the sample.")
@click.option("--seconds", default=60.0, show_default=True, help="How long reading may take.")
@with_output
def sample(definitions_file: Path, file: Path, seconds: float, out: Output) -> None:
    """Read what the changed on-demand features of a commit are computed from, old and new.

    Up to 200 keys at three instants. Runs nothing of the pull request but its SQL, and leaves out
    features whose sensitivity is neither public nor internal.

    \b
    Example:
      fieldhouse pr sample --definitions definitions.json --out sample.json
    """
    from registry.adapters.forge import read_proposed
    from registry.adapters.samples_file import Sampled, as_json
    from registry.cli.session import project_settings

    settings = project_settings()
    proposed = read_proposed(definitions_file)
    changed = _changed(settings, proposed.repository)
    samples, left_out = _port(settings).sample(changed, seconds) if changed else ((), {})
    made = Sampled(proposed.commit, tuple(samples), left_out)
    file.write_text(as_json(made))
    out.data({"samples": len(made.samples), "left_out": dict(left_out)})


def _changed(
    settings: "Settings", repository: "Repository | None"
) -> "tuple[ChangedComputed, ...]":
    """What changes; nothing where the definitions do not load."""
    from registry.cli.session import compile_here, open_with_warehouse
    from registry.kernel.errors import Refused
    from registry.service.preview import changed_computed, preview

    if repository is None:
        return ()
    registry = open_with_warehouse(settings, runs_code=False)
    if repository.namespace != registry.namespace:
        raise Refused(
            f"these are definitions of namespace {repository.namespace}",
            f"this is {registry.namespace}",
        )
    return changed_computed(preview(registry.context, compile_here(settings, repository)))[0]


@click.command()
@click.option("--sample", "sample_file", required=True, type=_FILE, help="What `pr sample` wrote.")
@click.option("--out", "file", required=True, type=_FILE, help="Where to write the values.")
@click.option(
    "--seconds", default=10.0, show_default=True, help="Processor time that each code may take."
)
@with_output
def compute(sample_file: Path, file: Path, seconds: float, out: Output) -> None:
    """Run the old and the new code of on-demand features on a sample.

    This runs the pull request's code: give it no secrets, and no sample to a stranger's. What
    loops, or takes too much memory, is stopped.

    \b
    Example:
      fieldhouse pr compute --sample sample.json --out values.json
    """
    from registry.adapters.samples_file import as_json, read_sampled
    from registry.cli.session import project_settings

    samples = read_sampled(sample_file).samples
    values = _port(project_settings()).run(samples, seconds)
    file.write_text(as_json(values))
    failed = {computed.view: computed.failed for computed in values if computed.failed}
    out.data({"views": len(values), "failed": failed})


def _port(settings: "Settings") -> "ValuePreview":
    from registry.kernel.errors import Misuse
    from registry.ports import CommandPorts

    ports = click.get_current_context().find_object(CommandPorts)
    if ports is None or ports.values is None:
        raise Misuse("there is no warehouse to look at")
    return ports.values(settings)
