"""The drift report as one HTML page that needs nothing else: plots, and every number. Pure."""

from html import escape

from serving.drift.report import DRIFTED, ColumnDrift, DriftReport, Window
from serving.gate.plots import line_plot

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}svg{width:100%;height:auto;font:11px sans-serif}"
    "td,th{text-align:left;padding:.3rem;border-bottom:1px solid #d9dfe5;vertical-align:top}"
    ".drifted{color:#a8201a;font-weight:600}.slight{color:#8a5a00}.steady{color:#14713d}"
    "h2{font-size:1.1rem}.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}"
    "figure{margin:0}figcaption{font-size:.85em}"
)
_SHOWN = 8
_LINES = 4
_BAR, _GAP, _TALL = 18, 10, 120


def render_page(report: DriftReport) -> str:
    """The page of a report, every text of it escaped."""
    title = f"Drift of {escape(report.model)} {escape(report.version)}"
    worst = sorted(report.columns, key=lambda column: -column.psi)
    rows = "".join(_row(column) for column in worst)
    drifted = [column for column in worst if column.verdict == DRIFTED][:_SHOWN]
    shapes = "".join(_shape(column) for column in drifted)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{_summary(report)}</p>"
        f"{_performance(report)}{_over_time(report, drifted or worst)}"
        f"<h2>What drifted: training (blue) and production (orange), shares by bin</h2>"
        f"<div class=pair>{shapes or '<p>Nothing did.</p>'}</div>"
        "<h2>Every column</h2><table><tr><th>Column<th>Kind<th>Verdict<th>PSI<th>Chance alone"
        f"<th>Missing<th>Before<th>Never seen<th>Why</tr>{rows}</table></html>"
    )


def _summary(report: DriftReport) -> str:
    names = ", ".join(report.drifted) or "nothing"
    return (
        f"{report.rows:,} predictions from {escape(report.since)} to {escape(report.until)}, "
        f"{report.labelled:,} with their truth, beside {report.reference_rows:,} rows of training. "
        f"Drifted: <b>{escape(names)}</b>."
    )


def _row(column: ColumnDrift) -> str:
    return (
        f"<tr><td>{escape(column.name)}<td>{column.kind}"
        f"<td class={column.verdict}>{column.verdict}<td>{column.psi:.4f}"
        f"<td>{column.threshold:.4f}<td>{column.missing:.1%}<td>{column.missing_before:.1%}"
        f"<td>{column.unseen:.1%}<td>{escape('; '.join(column.reasons))}</tr>"
    )


def _performance(report: DriftReport) -> str:
    live = report.performance
    if live is None:
        return "<h2>How well it does</h2><p>Too few labels have arrived to say.</p>"
    beside = "" if live.gate is None else f", {live.gate:.4f} at the gate"
    verdict = "worse than chance explains" if live.worse else "within chance or better"
    words = f"{escape(live.metric)} {live.value:.4f} ± {1.96 * live.error:.4f}{beside}"
    said = words if live.gate is None else f"{words}: {verdict}"
    known = [w for w in report.windows if w.metric is not None]
    lines = {
        live.metric: [(_days(report, w), w.metric or 0.0) for w in known],
        "95% above": [(_days(report, w), _edge(w, 1.96)) for w in known],
        "95% below": [(_days(report, w), _edge(w, -1.96)) for w in known],
    }
    values = [y for points in lines.values() for _, y in points]
    values += [live.gate] if live.gate is not None else []
    span = (min(values) - 0.02, max(values) + 0.02) if values else (0.0, 1.0)
    plot = line_plot(lines, "days since the first", live.metric, y_range=span, limit=live.gate)
    dashed = "; the dashed line is the gate's" if live.gate is not None else ""
    return f"<h2>How well it does: {said}{dashed}</h2>{plot}"


def _edge(window: Window, times: float) -> float:
    return (window.metric or 0.0) + times * (window.metric_error or 0.0)


def _over_time(report: DriftReport, columns: list[ColumnDrift]) -> str:
    lines = {
        column.name: [(_days(report, w), w.psi.get(column.name, 0.0)) for w in report.windows]
        for column in columns[:_LINES]
    }
    plot = line_plot(lines, "days since the first", "PSI", limit=0.1)
    return f"<h2>Since when: PSI by stretch of time; below 0.1 is little</h2>{plot}" if plot else ""


def _days(report: DriftReport, window: Window) -> float:
    first = report.windows[0].since
    return ((window.since + window.until) / 2 - first) / 86_400e6


def _shape(column: ColumnDrift) -> str:
    before, found = sum(column.reference) or 1, sum(column.found) or 1
    pairs = [(b / before, f / found) for b, f in zip(column.reference, column.found, strict=True)][
        :16
    ]
    top = max((share for pair in pairs for share in pair), default=0.0) or 1.0
    width = len(pairs) * (2 * _BAR + _GAP) + _GAP
    marks = []
    for place, pair in enumerate(pairs):
        for side, (share, colour) in enumerate(zip(pair, ("#1f6feb", "#bc6c25"), strict=True)):
            tall = _TALL * share / top
            x = _GAP + place * (2 * _BAR + _GAP) + side * _BAR
            marks.append(
                f'<rect x="{x}" y="{_TALL - tall:.1f}" width="{_BAR - 2}" height="{tall:.1f}" '
                f'fill="{colour}"><title>{share:.1%}</title></rect>'
            )
    ends = f"up to {column.edges[0]:g} … above {column.edges[-1]:g}" if column.edges else ""
    caption = f"{escape(column.name)} <small>{ends}</small>: {escape('; '.join(column.reasons))}"
    return (
        f'<figure><svg viewBox="0 0 {width} {_TALL}" role="img" '
        f'aria-label="{escape(column.name)}">{"".join(marks)}</svg>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
