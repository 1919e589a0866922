"""`drift`. Heavy imports wait inside."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, with_output
from serving.cli.session import open_room

if TYPE_CHECKING:
    from serving.drift.report import DriftReport


@click.command()
@click.argument("name", metavar="MODEL")
@click.option("--version", help="Which version; else the champion.")
@click.option("--since", metavar="INSTANT", help="Predictions from here on, RFC 3339.")
@click.option("--until", metavar="INSTANT", help="Predictions before this, RFC 3339.")
@click.option("--page", type=click.Path(path_type=Path), help="Write the page with plots here.")
@click.option("--fail", is_flag=True, help="Status 1 when something drifted.")
@with_output
def drift(
    name: str,
    version: str | None,
    since: str | None,
    until: str | None,
    page: Path | None,
    fail: bool,
    out: Output,
) -> None:
    """Compare what MODEL sees in production with what it saw in training.

    \b
    Example:
      fieldhouse drift flight_delay --page drift.html
    """
    from registry.kernel.clock import parse_instant
    from serving.drift.find import find_drift
    from serving.drift.page import render_page

    room = open_room()
    start, end = (parse_instant(text) if text else None for text in (since, until))
    report = find_drift(room, name, version, start, end)
    if page is not None:
        page.write_text(render_page(report))
        out.say(f"wrote {page}")
    out.data(report if out.as_json else _lines(report))
    out.say(_summary(report))
    if fail and report.drifted:
        click.get_current_context().exit(1)


def _lines(report: "DriftReport") -> list[dict[str, Any]]:
    worst = sorted(report.columns, key=lambda column: -column.psi)
    return [
        {
            "column": column.name,
            "kind": column.kind,
            "verdict": column.verdict,
            "psi": f"{column.psi:.3f}",
            "chance": f"{column.threshold:.3f}",
            "why": "; ".join(column.reasons),
        }
        for column in worst
    ]


def _summary(report: "DriftReport") -> str:
    said = f"{report.rows} predictions, {report.labelled} with their truth; drifted: "
    said += ", ".join(report.drifted) or "nothing"
    live = report.performance
    if live is None:
        return said + "; too few labels for a metric"
    gate = "" if live.gate is None else f", {live.gate:.4f} at the gate"
    return f"{said}; {live.metric} {live.value:.4f}{gate}"
