"""The gate report as one HTML page that needs nothing else: a table and a curve. Pure."""

from collections.abc import Sequence
from html import escape

from serving.gate.report import Check, GateReport

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.4rem;border-bottom:1px solid #d9dfe5;vertical-align:top}"
    ".passed{color:#14713d}.failed{color:#a8201a}"
    "code{font-size:.85em;overflow-wrap:anywhere}svg{width:100%;height:auto}"
)


def render_page(report: GateReport) -> str:
    """The page of a report, every number of it escaped."""
    verdict = "passed" if report.passed else "failed"
    rows = "".join(_row(check) for check in report.checks)
    title = f"Gate of {escape(report.model)} {escape(report.version)}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}: <span class={verdict}>{verdict}</span></h1>"
        f"<p>Bundle <code>{escape(report.bundle_digest)}</code>, report "
        f"<code>{escape(report.digest)}</code>, asked for by {escape(report.requested_by)}, "
        f"{escape(report.started_at)}, {report.seconds:.1f} s.</p>"
        f"<table><tr><th>Question<th>Check<th>Verdict<th>Found</tr>{rows}</table>"
        f"{_latency(report)}</html>"
    )


def _row(check: Check) -> str:
    verdict = "passed" if check.passed else "failed" if check.ran else "could not run"
    kind = "passed" if check.passed else "failed"
    return (
        f"<tr><td>{escape(check.question)}<td><code>{escape(check.id)}</code>"
        f"<td class={kind}>{verdict}<td>{escape(check.message)}</tr>"
    )


def _latency(report: GateReport) -> str:
    curve = next((c.numbers["curve_ms"] for c in report.checks if c.numbers.get("curve_ms")), None)
    if not curve:
        return ""
    return f"<h2>Latency by quantile, ms</h2>{_plot(curve)}"


def _plot(values: Sequence[float], width: int = 600, height: int = 180) -> str:
    top = max(values) or 1.0
    step = width / max(1, len(values) - 1)
    points = " ".join(
        f"{i * step:.1f},{height - value / top * height:.1f}" for i, value in enumerate(values)
    )
    label = f"from {values[0]:.2f} to {values[-1]:.2f} ms, median {values[len(values) // 2]:.2f} ms"
    return (
        f'<svg viewBox="0 -4 {width} {height + 8}" role="img" aria-label="latency {label}">'
        f'<polyline points="{points}" fill="none" stroke="#1f6feb" stroke-width="2"/></svg>'
        f"<p>{label}</p>"
    )
