"""The gate report as one HTML page that needs nothing else: verdicts, plots, every number. Pure."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from serving.gate.plots import bar_plot, forest_plot, line_plot
from serving.gate.report import Check, GateReport

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.4rem;border-bottom:1px solid #d9dfe5;vertical-align:top}"
    ".passed{color:#14713d}.failed{color:#a8201a}figure{margin:0 0 1rem}"
    "code{font-size:.85em;overflow-wrap:anywhere}svg{width:100%;height:auto;font:11px sans-serif}"
    "pre{font-size:.8em;overflow-x:auto;white-space:pre-wrap}h2{font-size:1.1rem}"
)
_MB = 1e6


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
        f"{_plots(report)}{_resources(report)}{_facts(report)}</html>"
    )


def _row(check: Check) -> str:
    verdict = "passed" if check.passed else "failed" if check.ran else "could not run"
    kind = "passed" if check.passed else "failed"
    return (
        f"<tr><td>{escape(check.question)}<td><code>{escape(check.id)}</code>"
        f"<td class={kind}>{verdict}<td>{escape(check.message)}</tr>"
    )


def _plots(report: GateReport) -> str:
    plots = {
        "Latency by quantile": _latency(report),
        "Predicted and observed": _calibration(report),
        "Candidate minus the other, by slice": _slices(report),
        "Memory": _memory(report),
        "Memory over requests": _growth(report),
    }
    return "".join(f"<h2>{title}</h2>{plot}" for title, plot in plots.items() if plot)


def _number(report: GateReport, key: str) -> Any:
    """The first check's number of that name, None when no check has one."""
    return next((c.numbers[key] for c in report.checks if c.numbers.get(key) is not None), None)


def _latency(report: GateReport) -> str:
    names = {
        "candidate": "curve_ms",
        "with lookup": "lookup_curve_ms",
        "incumbent": "incumbent_curve_ms",
    }
    curves = {name: _quantiles(_number(report, key)) for name, key in names.items()}
    top = max((y for points in curves.values() for _, y in points), default=0.0)
    objective = report.policy.p50_ms
    shown = objective if objective < 4 * top else None  # else it would flatten the curves
    span = (0.0, max(top, shown or 0.0))
    return line_plot(curves, "quantile", "ms", x_range=(0, 1), y_range=span, limit=shown)


def _quantiles(values: Sequence[float] | None) -> list[tuple[float, float]]:
    if not values:
        return []
    last = max(1, len(values) - 1)
    return [(place / last, value) for place, value in enumerate(values)]


def _calibration(report: GateReport) -> str:
    names = {"candidate": "curve", "incumbent": "incumbent_curve"}
    curves = {
        name: [(score, rate) for score, rate, _ in _number(report, key) or ()]
        for name, key in names.items()
    }
    unit = (0.0, 1.0)
    return line_plot(
        curves, "mean score of a bin", "share of positives", x_range=unit, y_range=unit,
        diagonal=True,
    )  # fmt: skip


def _slices(report: GateReport) -> str:
    found = report.check("better.slices")
    if found is None:
        return ""
    rows = [
        (f"{one['slice']} ({one['rows']})", one["difference"], 1.96 * one["standard_error"])
        for one in found.numbers.get("slices", ())
    ]
    label = f"{found.numbers.get('metric')}, dot and 95 % interval; dashed: the margin"
    return forest_plot(rows[:40], float(found.numbers.get("margin", 0.0)), label)


def _memory(report: GateReport) -> str:
    if report.resources is None:
        return ""
    seen, asked = report.resources.measured, report.resources
    bars = {
        "at rest": seen.rest_bytes,
        "peak while loading": seen.load_peak_bytes,
        "under load": seen.under_load_bytes,
        "peak of a hot swap": seen.hot_swap_peak_bytes,
        "request": asked.memory_request_bytes,
        "limit": asked.memory_limit_bytes,
    }
    return bar_plot({name: size / _MB for name, size in bars.items()}, "MB")


def _growth(report: GateReport) -> str:
    found = report.check("fits.growth")
    sizes = found.numbers.get("resident_bytes", ()) if found else ()
    if not found or not sizes:
        return ""
    step = found.numbers["requests"] / len(sizes)
    points = [((place + 1) * step, size / _MB) for place, size in enumerate(sizes)]
    low, high = min(size for _, size in points), max(size for _, size in points)
    return line_plot(
        {"resident": points}, "requests", "MB", y_range=(low * 0.95, max(high, low) * 1.05)
    )


def _resources(report: GateReport) -> str:
    if report.resources is None:
        return ""
    cells = msgspec.to_builtins(report.resources)
    measured = cells.pop("measured")
    rows = "".join(
        f"<tr><td>{escape(name)}<td>{escape(str(value))}</tr>"
        for name, value in {**cells, **measured}.items()
    )
    return (
        f"<h2>Resource profile</h2><p><code>{escape(report.profile_digest or '')}</code>, "
        f"which a reliability engineer approves.</p><table>{rows}</table>"
    )


def _facts(report: GateReport) -> str:
    facts: Mapping[str, Any] = {
        "policy": msgspec.to_builtins(report.policy),
        "data": report.data,
        "machine": report.machine,
        "numbers": {check.id: check.numbers for check in report.checks if check.numbers},
    }
    text = json.dumps(msgspec.to_builtins(facts), indent=1, default=str)
    return (
        f"<h2>Every number</h2><details><summary>Show</summary><pre>{escape(text)}</pre></details>"
    )
