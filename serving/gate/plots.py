"""Plots of the gate report as SVG text: lines, bars, a forest of intervals. Pure."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 620, 240
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 34
COLOURS = ("#1f6feb", "#bc6c25", "#14713d", "#7a3e9d")
Point = tuple[float, float]


def line_plot(
    lines: Mapping[str, Sequence[Point]],
    x_label: str,
    y_label: str,
    *,
    x_range: Point | None = None,
    y_range: Point | None = None,
    limit: float | None = None,
    diagonal: bool = False,
) -> str:
    """Lines by name over common axes; `limit` is a dashed horizontal one. Empty without points."""
    kept = {name: points for name, points in lines.items() if points}
    if not kept:
        return ""
    every = [point for points in kept.values() for point in points]
    xs = x_range or _range([x for x, _ in every])
    ys = y_range or _range([*(y for _, y in every), *([limit] if limit is not None else [0.0])])
    marks = [_axes(xs, ys, x_label, y_label)]
    if diagonal:
        marks.append(_segment(_at(xs[0], ys[0], xs, ys), _at(xs[1], ys[1], xs, ys), "4 4"))
    if limit is not None:
        marks.append(_segment(_at(xs[0], limit, xs, ys), _at(xs[1], limit, xs, ys), "6 3"))
    for place, (name, points) in enumerate(kept.items()):
        marks.append(_line(name, points, xs, ys, place))
    return _svg(marks, f"{y_label} by {x_label}", kept)


def bar_plot(bars: Mapping[str, float], unit: str, limit: float | None = None) -> str:
    """Horizontal bars with their values; `limit` is a dashed vertical line."""
    if not bars:
        return ""
    top = max([*bars.values(), limit or 0.0]) or 1.0
    step = 26
    height = step * len(bars) + 8
    marks = []
    for place, (name, value) in enumerate(bars.items()):
        y = 4 + place * step
        width = (WIDTH - 250) * value / top
        marks.append(
            f'<text x="0" y="{y + 15}">{escape(name)}</text>'
            f'<rect x="150" y="{y + 3}" width="{width:.1f}" height="16" fill="{COLOURS[0]}"/>'
            f'<text x="{156 + width:.1f}" y="{y + 15}">{value:,.1f} {escape(unit)}</text>'
        )
    if limit is not None:
        x = 150 + (WIDTH - 250) * limit / top
        marks.append(
            f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" stroke="#a8201a" '
            'stroke-dasharray="6 3"/>'
        )
    return _svg(marks, f"bars, {unit}", {}, height)


def forest_plot(rows: Sequence[tuple[str, float, float]], margin: float, x_label: str) -> str:
    """Differences with their half-widths, one a row; `margin` left of zero is the limit."""
    if not rows:
        return ""
    ends = [edge for _, middle, half in rows for edge in (middle - half, middle + half)]
    xs = _range([*ends, -margin, 0.0])
    step = 20
    height = step * len(rows) + 40
    left, right = 200.0, float(WIDTH - RIGHT)

    def across(value: float) -> float:
        return left + (value - xs[0]) / (xs[1] - xs[0]) * (right - left)

    marks = []
    for value, dash in ((0.0, ""), (-margin, "6 3")):
        x = across(value)
        marks.append(_segment((x, 0), (x, height - 28), dash))
        marks.append(f'<text x="{x:.1f}" y="{height - 14}" text-anchor="middle">{value:.3g}</text>')
    for place, (name, middle, half) in enumerate(rows):
        y = 12 + place * step
        low, high = across(middle - half), across(middle + half)
        bad = middle + half < -margin
        colour = "#a8201a" if bad else COLOURS[0]
        marks.append(
            f'<text x="0" y="{y + 4}">{escape(name)}</text>'
            f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{colour}"/>'
            f'<circle cx="{across(middle):.1f}" cy="{y}" r="4" fill="{colour}"/>'
        )
    marks.append(
        f'<text x="{right:.0f}" y="{height - 1}" text-anchor="end">{escape(x_label)}</text>'
    )
    return _svg(marks, x_label, {}, height)


def _range(values: Sequence[float]) -> Point:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1.0)


def _at(x: float, y: float, xs: Point, ys: Point) -> Point:
    across = LEFT + (x - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT)
    down = TOP + (1 - (y - ys[0]) / (ys[1] - ys[0])) * (HEIGHT - TOP - BOTTOM)
    return across, down


def _line(name: str, points: Sequence[Point], xs: Point, ys: Point, place: int) -> str:
    placed = [_at(x, y, xs, ys) for x, y in points]
    colour = COLOURS[place % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in placed[:20])
    return (
        f'<g fill="{colour}" data-line="{escape(name)}">'
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f"{dots if len(placed) <= 20 else ''}</g>"
    )


def _axes(xs: Point, ys: Point, x_label: str, y_label: str) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    ticks = [
        f'<text x="{_at(value, ys[0], xs, ys)[0]:.1f}" y="{bottom + 14}" '
        f'text-anchor="middle">{value:.3g}</text>'
        for value in _ticks(xs)
    ]
    ticks += [
        f'<text x="{LEFT - 6}" y="{_at(xs[0], value, xs, ys)[1] + 4:.1f}" '
        f'text-anchor="end">{value:.3g}</text>'
        for value in _ticks(ys)
    ]
    return (
        f'<path d="M{LEFT},{TOP}V{bottom}H{right}" fill="none" stroke="#8b949e"/>{"".join(ticks)}'
        f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>'
        f'<text x="{LEFT + 6}" y="{TOP + 8}">{escape(y_label)}</text>'
    )


def _ticks(span: Point) -> list[float]:
    return [span[0] + (span[1] - span[0]) * step / 4 for step in range(5)]


def _segment(start: Point, end: Point, dash: str) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="#a8201a" stroke-width="1"{dashed}/>'
    )


def _svg(
    marks: Sequence[str], label: str, lines: Mapping[str, Sequence[Point]], height: int = HEIGHT
) -> str:
    legend = "".join(
        f'<span style="color:{COLOURS[place % len(COLOURS)]}">&#9632; {escape(name)}</span> '
        for place, name in enumerate(lines)
    )
    caption = f"<figcaption>{legend}</figcaption>" if len(lines) > 1 else ""
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(marks)}</svg>{caption}</figure>"
    )
