"""`pr comment`: one Markdown comment for a pull request."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output
from registry.ports import CommandPorts

if TYPE_CHECKING:
    from registry.bootstrap import SqlRegistry
    from registry.core.pull_requests import Ignored, Proposed
    from registry.core.value_diff import ValuesSeen
    from registry.kernel.settings import Settings
    from registry.ports import ValuePreview
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
    "--sample",
    "sample_file",
    type=click.Path(path_type=Path),
    help="What `pr sample` wrote.",
)
@click.option(
    "--values",
    "values_file",
    type=click.Path(path_type=Path),
    help="What `pr compute` wrote for that sample.",
)
@click.option(
    "--sarif",
    "sarif_file",
    type=click.Path(path_type=Path),
    help="Write the findings there, as SARIF for annotations on the lines.",
)
@click.option(
    "--code-quality",
    "quality_file",
    type=click.Path(path_type=Path),
    help="Write the findings there, as GitLab's code quality report.",
)
@with_output
def comment(
    definitions_file: Path,
    recorded_file: Path | None,
    seconds: float,
    sample_file: Path | None,
    values_file: Path | None,
    sarif_file: Path | None,
    quality_file: Path | None,
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
    from registry.cli.session import open_with_warehouse, project_settings
    from registry.kernel.errors import Refused
    from registry.reports.comment import Comment, comment_markdown

    settings = project_settings()
    registry = open_with_warehouse(settings, runs_code=False)
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
        look = _Look(settings, seconds, sample_file, values_file)
        made = _made(settings, registry, proposed, _ignored(recorded_file), look)
    _write_findings(settings, made, sarif_file, quality_file)
    text = comment_markdown(made)
    out.data({"markdown": text}, text.rstrip("\n"))


def _write_findings(
    settings: "Settings", made: "Comment", sarif_file: Path | None, quality_file: Path | None
) -> None:
    from registry.kernel.canonical import canonical_json
    from registry.reports.code_quality import code_quality
    from registry.reports.sarif import sarif
    from registry.settings import REPOSITORY

    root = str(settings.get(REPOSITORY))
    if sarif_file is not None:
        sarif_file.write_text(canonical_json(sarif(made.findings, root)))
    if quality_file is not None:
        quality_file.write_text(canonical_json(code_quality(made.findings, root)))


def _made(
    settings: "Settings",
    registry: "SqlRegistry",
    proposed: "Proposed",
    ignored: "tuple[Ignored, ...]",
    look: "_Look",
) -> "Comment":
    from registry.cli.session import compile_here
    from registry.reports.comment import Comment
    from registry.service.preview import preview

    assert proposed.repository is not None
    compiled = compile_here(settings, proposed.repository)
    seen = preview(registry.context, compiled, with_values=look.seconds > 0)
    values = look(seen)
    return Comment(
        commit=proposed.commit,
        plan=seen.checked.plan,
        findings=(*proposed.findings, *seen.checked.findings),
        lacks=seen.stands.lacks if seen.stands else (),
        approvals=seen.stands.approvals if seen.stands else (),
        ignored=ignored,
        values=values.diffs,
        broken=values.broken,
        notes=values.notes,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at the values that a plan changes, for so many seconds; on-demand ones are in files."""

    settings: "Settings"
    seconds: float
    sample_file: Path | None
    values_file: Path | None

    def __call__(self, seen: "Preview") -> "ValuesSeen":
        from registry.adapters.samples_file import Sampled, read_sampled, read_values
        from registry.core.value_diff import ValuesSeen
        from registry.service.preview import Computed, values_seen

        port = self._port(seen)
        if port is None:
            return ValuesSeen()
        sampled = read_sampled(self.sample_file) if self.sample_file else Sampled("")
        values = read_values(self.values_file) if self.values_file else ()
        computed = Computed(sampled.samples, values, sampled.left_out)
        return values_seen(seen, port, self.seconds, computed)

    def _port(self, seen: "Preview") -> "ValuePreview | None":
        """What reads values, where there are any to read and time to do it."""
        context = click.get_current_context(silent=True)
        ports = context.find_object(CommandPorts) if context is not None else None
        if ports is None or ports.tables is None or ports.values is None:
            return None
        if self.seconds <= 0 or seen.checked.plan.empty:
            return None
        return ports.values(self.settings) if ports.tables(self.settings) is not None else None


def _ignored(file: Path | None) -> "tuple[Ignored, ...]":
    import msgspec

    from registry.core.pull_requests import Ignored

    if file is None or not file.is_file():
        return ()

    class Said(msgspec.Struct):
        ignored: tuple[Ignored, ...] = ()

    return msgspec.json.decode(file.read_bytes(), type=Said).ignored
