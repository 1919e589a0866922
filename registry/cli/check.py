"""`check` and `plan`: what the repository would change, and what stands against it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, plain, with_output
from registry.kernel.settings import Settings

if TYPE_CHECKING:
    from registry.core.changes import Plan
    from registry.core.findings import Finding
    from registry.ports import SampleChecker

FORMATS = ("text", "json", "markdown", "sarif", "code-quality")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", show_default=True)
@with_output
def check(folder: Path | None, shape: str, out: Output) -> None:
    """Check the definitions: every finding at once, each with what to do.

    Where there is a warehouse, expectations of new and changed views are tried on a sample. Exits
    1 when a finding is an error. Changes nothing.

    \b
    Example:
      fieldhouse check
      fieldhouse check --format sarif > findings.sarif
    """
    planned, findings = examine(folder, on_samples=True)
    show_report(out, shape, planned, findings, root=_root(folder))
    _exit_if_refused(findings)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option("--base", metavar="REV", help="Compare with the definitions of a git revision.")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0 for no changes, 2 for changes, 1 for refused or failed.",
)
@with_output
def plan(
    folder: Path | None, base: str | None, shape: str, detailed_exitcode: bool, out: Output
) -> None:
    """Show what applying the definitions would change, and whom each change reaches.

    \b
    Example:
      fieldhouse plan
      fieldhouse plan --base main --format markdown
    """
    planned, findings = examine(folder, base)
    show_report(out, shape, planned, findings, root=_root(folder), with_plan=True)
    _exit_if_refused(findings)
    if detailed_exitcode and planned is not None and not planned.empty:
        click.get_current_context().exit(2)


def examine(
    folder: Path | None, base: str | None = None, on_samples: bool = False
) -> "tuple[Plan | None, tuple[Finding, ...]]":
    """The plan (None when the definitions cannot be loaded) and all findings; `on_samples` those of
    expectations too, where there is a warehouse to draw from."""
    from registry.cli.base import state_at
    from registry.cli.session import load_here, open_with_warehouse, project_settings
    from registry.service.check import check as check_repository

    settings = project_settings()
    loaded = load_here(settings, folder)
    if loaded.compiled is None:
        return None, loaded.findings
    registry = open_with_warehouse(settings)
    state = None if base is None else state_at(settings, base)
    tried = _sample_checker(settings) if on_samples else None
    checked = check_repository(registry.context, loaded.compiled, state, tried)
    return checked.plan, (*loaded.findings, *checked.findings)


def _sample_checker(settings: Settings) -> "SampleChecker | None":
    from registry.ports import CommandPorts

    ports = click.get_current_context().find_object(CommandPorts)
    if ports is None or ports.expectations is None or ports.tables is None:
        return None
    return ports.expectations(settings) if ports.tables(settings) is not None else None


def _root(folder: Path | None) -> str:
    """Where the definitions are, from the project's root."""
    from registry.cli.session import project_settings
    from registry.settings import REPOSITORY

    settings = project_settings()
    where = (folder or settings.path(REPOSITORY)).resolve()
    inside = where.is_relative_to(settings.root)
    return (where.relative_to(settings.root) if inside else where).as_posix()


def show_report(
    out: Output,
    shape: str,
    planned: "Plan | None",
    findings: "tuple[Finding, ...]",
    *,
    root: str,
    with_plan: bool = False,
) -> None:
    """Print in the asked format: `--json` and `--format json` are one.

    `root` is the definitions' folder, as paths in the project begin.
    """
    from registry.reports.code_quality import code_quality
    from registry.reports.markdown import report_markdown
    from registry.reports.sarif import sarif

    if out.as_json or shape == "json":
        Output(as_json=True).data(_document(planned, findings))
    elif shape == "sarif":
        Output(as_json=True).data(sarif(findings, root))
    elif shape == "code-quality":
        Output(as_json=True).data(code_quality(findings, root))
    elif shape == "markdown":
        out.data(None, report_markdown(planned or _no_plan(), findings))
    else:
        out.data(None, _text(planned if with_plan else None, findings))


def _text(planned: "Plan | None", findings: "tuple[Finding, ...]") -> str:
    from registry.reports.text import counts_text, findings_text, plan_text

    parts = [findings_text(findings), counts_text(findings)]
    return "\n".join(p for p in (plan_text(planned) if planned else "", *parts) if p)


def _document(planned: "Plan | None", findings: "tuple[Finding, ...]") -> dict[str, Any]:
    document: dict[str, Any] = {"findings": plain(findings)}
    if planned is not None:
        document["plan"] = {**plain(planned), "digest": planned.digest}
    return document


def _no_plan() -> "Plan":
    from registry.core.changes import Plan

    return Plan("", ())


def _exit_if_refused(findings: "tuple[Finding, ...]") -> None:
    if any(finding.severity == "error" for finding in findings):
        click.get_current_context().exit(1)
