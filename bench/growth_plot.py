"""Draws how cost grows with size: curves on two logarithmic axes beside a straight line, as SVG."""

import math
from collections.abc import Mapping

WIDTH, HEIGHT, EDGE = 640, 420, 60
COLOURS = ("#1f6fb2", "#c2571a", "#2f8f4e", "#8a4fa3")


def draw(title: str, curves: Mapping[str, Mapping[int, float]]) -> str:
    """SVG of `curves` (size to seconds by name); the dashed line is what linear growth would be."""
    points = [(x, y) for curve in curves.values() for x, y in curve.items() if y > 0]
    scale = _Scale([x for x, _ in points], [y for _, y in points])
    parts = [_text(WIDTH / 2, 20, title, "middle"), *_axes(scale), *_linear(scale)]
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        parts += _curve(scale, colour, name, curve)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 200}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" '
        f'fill="white"/>\n{body}\n</svg>\n'
    )


class _Scale:
    """From sizes and seconds to places in the picture, by whole powers of ten."""

    def __init__(self, xs: list[float], ys: list[float]) -> None:
        self.x0, self.x1 = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
        self.y0, self.y1 = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def x(self, size: float) -> float:
        part = (math.log10(size) - self.x0) / max(1, self.x1 - self.x0)
        return EDGE + part * (WIDTH - 2 * EDGE)

    def y(self, seconds: float) -> float:
        part = (math.log10(seconds) - self.y0) / max(1, self.y1 - self.y0)
        return HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE)


def _axes(scale: _Scale) -> list[str]:
    right, low = WIDTH - EDGE, HEIGHT - EDGE
    parts = []
    for power in range(scale.x0, scale.x1 + 1):
        x = scale.x(10**power)
        parts += [_line(x, EDGE, x, low, "#ddd"), _text(x, low + 18, f"{10**power:,}", "middle")]
    for power in range(scale.y0, scale.y1 + 1):
        y = scale.y(10**power)
        parts += [_line(EDGE, y, right, y, "#ddd"), _text(EDGE - 6, y + 4, f"{10.0**power:g} s")]
    return parts


def _linear(scale: _Scale) -> list[str]:
    steps = min(scale.x1 - scale.x0, scale.y1 - scale.y0)
    x, y = scale.x(10 ** (scale.x0 + steps)), scale.y(10 ** (scale.y0 + steps))
    line = _line(
        scale.x(10**scale.x0), scale.y(10**scale.y0), x, y, "#999", ' stroke-dasharray="4"'
    )
    return [line, _text(x + 4, y - 4, "linear", "start")]


def _curve(scale: _Scale, colour: str, name: str, curve: Mapping[int, float]) -> list[str]:
    places = [(scale.x(x), scale.y(y)) for x, y in sorted(curve.items()) if y > 0]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return [drawn, *dots, _text(x + 8, y + 4, name, "start", colour)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str = "end", colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
