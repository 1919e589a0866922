"""A score for each answer, and whether it means what it says: calibration, measured and drawn.

The command says a rule and how many pairs agree, no probability. The score is what that supports:
1 for an equal definition, else the lower end of the Clopper-Pearson interval of the agreeing pairs,
lowered for a question by as much as questions are weaker than refusals (half), 0 for nothing said.
"""

import re
from collections.abc import Sequence
from typing import Any

from scipy.stats import beta

from bench.duplicates.answers import DEFINITION, Answer
from bench.duplicates.metrics import Rate

_PAIRS = re.compile(r"for (\d+) of (\d+) ")
BINS = (0.0, 0.01, 0.4, 0.45, 0.475, 0.49, 0.5, 0.9, 0.95, 0.98, 0.99, 1.0)


def score(answer: Answer) -> float:
    """In [0, 1]; what counts is the order, and what `calibration` makes of it."""
    if answer.said == "pass":
        return 0.0
    if answer.rule == DEFINITION:
        return 1.0
    found = _PAIRS.search(answer.message)
    if found is None:
        return 0.5 if answer.said == "block" else 0.25
    agreeing, pairs = map(int, found.groups())
    low = float(beta.ppf(0.025, agreeing, pairs - agreeing + 1)) if agreeing else 0.0
    return low if answer.said == "block" else low / 2


def calibration(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Of each bin of scores: how many, their mean, and how many are copies of what was named."""
    made = []
    for low, high in zip(BINS, (*BINS[1:], 1.01), strict=True):
        inside = [(score(a), a) for a in answers if low <= score(a) < high]
        if inside:
            right = Rate(sum(a.found for _, a in inside), len(inside))
            mean = sum(s for s, _ in inside) / len(inside)
            made.append({"from": low, "mean": round(mean, 4), "right": right.facts()})
    return made


def reliability_svg(bins: Sequence[dict[str, Any]]) -> str:
    """The reliability curve: the score said against the share that was right, with intervals."""
    size, edge = 360, 50
    span = size - 2 * edge

    def place(x: float, y: float) -> tuple[float, float]:
        return edge + x * span, size - edge - y * span

    parts = [
        f'<rect width="{size}" height="{size}" fill="white"/>',
        _line(place(0, 0), place(1, 1), "#bbb", 'stroke-dasharray="4 4"'),
        _line(place(0, 0), place(1, 0), "#333"), _line(place(0, 0), place(0, 1), "#333"),
        _text(size / 2, size - 12, "score"), _text(size / 2, 20, "share that was right"),
    ]  # fmt: skip
    for mark in (0, 0.5, 1):
        parts += [_text(place(mark, 0)[0], size - edge + 16, f"{mark:g}"),
                  _text(edge - 16, place(0, mark)[1] + 4, f"{mark:g}")]  # fmt: skip
    points = []
    for one in bins:
        low, high = one["right"]["interval"]
        x, y = place(one["mean"], one["right"]["value"])
        points.append(f"{x:.1f},{y:.1f}")
        parts.append(_line((x, place(0, low)[1]), (x, place(0, high)[1]), "#1f6fb2"))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1f6fb2"/>')
    parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#1f6fb2"/>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, more: str = "") -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'
    )


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'
