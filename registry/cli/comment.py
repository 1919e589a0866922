"""`pr comment`: one Markdown comment for a pull request."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output
from registry.ports import CommandPorts

if TYPE_CHECKING:
    from registry.bootstrap import SqlRegistry
    from registry.core.pull_requests import Ignored, Proposed
    from registry.kernel.settings import Settings
    from registry.reports.comment import Comment
    from registry.service.preview import Preview


@click.command()
@click.option(
    "--definitions",
    "definitions_file",
    required=True,
    type=click.Path(path_type=Path),
    help="What `pr definitions` wrote.",
)
@click.option(
    "--recorded",
    "recorded_file",
    type=click.Path(path_type=Path),
    help="What `pr record --json` printed: which reviews do not count, and why.",
)
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    help="How long comparing values may take; 0 leaves them out.",
)
@click.option(
    "--sarif",
    "sarif_file",
    type=click.Path(path_type=Path),
    help="Write the findings there, as SARIF for annotations on the lines.",
)
@with_output
def comment(
    definitions_file: Path,
    recorded_file: Path | None,
    seconds: float,
    sarif_file: Path | None,
    out: Output,
) -> None:
    """Print the comment that tells a reviewer what a commit's definitions change.

    Its first line marks it, so that the next one takes its place. Changes nothing, and runs no
    Python of the pull request; its SQL reads the warehouse alone.

    \b
    Example:
      fieldhouse pr comment --definitions definitions.json
    """
    from registry.adapters.forge import read_proposed
    from registry.cli.session import open_here, project_settings
    from registry.kernel.errors import Refused
    from registry.reports.comment import Comment, comment_markdown

    settings = project_settings()
    registry = open_here(settings, runs_code=False)
    proposed = read_proposed(definitions_file)
    repository = proposed.repository
    if repository is not None and repository.namespace != registry.namespace:
        raise Refused(
            f"these are definitions of namespace {repository.namespace}",
            f"this is {registry.namespace}",
        )
    if repository is None:
        made = Comment(proposed.commit, None, proposed.findings)
    else:
        made = _made(settings, registry, proposed, _ignored(recorded_file), seconds)
    if sarif_file is not None:
        _write_sarif(settings, made, sarif_file)
    text = comment_markdown(made)
    out.data({"markdown": text}, text.rstrip("\n"))


def _write_sarif(settings: "Settings", made: "Comment", file: Path) -> None:
    from registry.kernel.canonical import canonical_json
    from registry.reports.sarif import sarif
    from registry.settings import REPOSITORY

    file.write_text(canonical_json(sarif(made.findings, str(settings.get(REPOSITORY)))))


def _made(
    settings: "Settings",
    registry: "SqlRegistry",
    proposed: "Proposed",
    ignored: "tuple[Ignored, ...]",
    seconds: float,
) -> "Comment":
    from registry.cli.session import compile_here
    from registry.reports.comment import Comment
    from registry.service.preview import broken_expectations, preview, value_diffs

    assert proposed.repository is not None
    compiled = compile_here(settings, proposed.repository)
    seen = preview(registry.context, compiled, with_values=seconds > 0)
    ports = _ports(settings, seen, seconds)
    compare = ports.values(settings) if ports.values is not None else None
    test = ports.expectations(settings) if ports.expectations is not None else None
    values, why = value_diffs(seen, compare, seconds) if compare else ((), ())
    broken, untried = broken_expectations(seen, test, seconds) if test else ((), ())
    return Comment(
        commit=proposed.commit,
        plan=seen.checked.plan,
        findings=(*proposed.findings, *seen.checked.findings),
        lacks=seen.stands.lacks if seen.stands else (),
        approvals=seen.stands.approvals if seen.stands else (),
        ignored=ignored,
        values=values,
        broken=broken,
        notes=(*why, *untried),
    )


def _ports(settings: "Settings", seen: "Preview", seconds: float) -> CommandPorts:
    """The ports that read values, where there are any to read and time to do it."""
    context = click.get_current_context(silent=True)
    ports = context.find_object(CommandPorts) if context is not None else None
    if ports is None or ports.tables is None or seconds <= 0 or seen.checked.plan.empty:
        return CommandPorts()
    return ports if ports.tables(settings) is not None else CommandPorts()


def _ignored(file: Path | None) -> "tuple[Ignored, ...]":
    import msgspec

    from registry.core.pull_requests import Ignored

    if file is None or not file.is_file():
        return ()

    class Said(msgspec.Struct):
        ignored: tuple[Ignored, ...] = ()

    return msgspec.json.decode(file.read_bytes(), type=Said).ignored
