"""Conditions and measures as SQL text, each in as many spellings as `Style` has switches for."""

from collections.abc import Callable
from typing import Final

from bench.duplicates.shapes import Condition, Measure
from bench.duplicates.style import Inapplicable, Style

_OPPOSITE: Final = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "<>"}
_FLIPPED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "="}
_SIMPLE: Final = {
    "value": "{}",
    "raw": "{}",
    "mean": "AVG({})",
    "max": "MAX({})",
    "min": "MIN({})",
    "median": "MEDIAN({})",
    "p90": "QUANTILE_CONT({}, 0.9)",
    "std": "STDDEV_SAMP({})",
    "distinct": "COUNT(DISTINCT {})",
    "count": "COUNT(*)",
}


def condition_text(condition: Condition, style: Style) -> str:
    """One condition, in one of its spellings."""
    left, op, right = condition.left, condition.op, condition.right
    if style.has("date_functions") and left.startswith("hour("):
        left = f"EXTRACT(HOUR FROM {left[5:-1]})"
    if op == "between":
        return _between(left, right, style)
    if op == "in":
        return _in(left, right, style)
    if op == "is":
        return f"{left} IS {right[0]}"
    value = right[0]
    if style.has("constant_sum") and value.isdigit():
        value = f"{int(value) - 1} + 1"
    if style.has("negation"):
        return f"NOT ({left} {_OPPOSITE[op]} {value})"
    if style.has("commute"):
        return f"{value} {_FLIPPED[op]} {left}"
    return f"{left} {op} {value}"


def _between(left: str, right: tuple[str, ...], style: Style) -> str:
    low, high = right
    if style.has("negation"):
        return f"NOT ({left} < {low} OR {left} > {high})"
    if style.has("between"):
        return f"{left} >= {low} AND {left} <= {high}"
    return f"{left} BETWEEN {low} AND {high}"


def _in(left: str, right: tuple[str, ...], style: Style) -> str:
    listed = right[::-1] if style.has("commute") else right
    if style.has("negation"):
        return f"NOT ({' AND '.join(f'{left} <> {value}' for value in listed)})"
    if style.has("or_for_in"):
        return f"({' OR '.join(f'{left} = {value}' for value in listed)})"
    return f"{left} IN ({', '.join(listed)})"


def _of(measure: Measure, style: Style) -> str:
    if style.has("commute") and measure.commuted:
        return measure.commuted
    if style.has("arithmetic") and measure.rearranged:
        return measure.rearranged
    return measure.of


def _when(measure: Measure, style: Style) -> str:
    assert measure.when is not None
    return condition_text(measure.when, style)


def _hits(measure: Measure, style: Style) -> str:
    """How many rows fulfil the condition of a share."""
    when = _when(measure, style)
    if style.has("filter_clause"):
        return f"COUNT(*) FILTER (WHERE {when})"
    if style.has("count_of_case"):
        return f"COUNT(CASE WHEN {when} THEN 1 END)"
    if style.has("count_if"):
        return f"COUNT_IF({when})"
    if style.has("cast_condition"):
        return f"COALESCE(SUM(CAST(({when}) AS INTEGER)), 0)"
    return f"SUM(CASE WHEN {when} THEN 1 ELSE 0 END)"


def _or_zero(text: str, style: Style) -> str:
    if style.has("case_for_coalesce"):
        return f"CASE WHEN {text} IS NULL THEN 0 ELSE {text} END"
    return f"COALESCE({text}, 0)"


def _not_zero(text: str, style: Style) -> str:
    if style.has("in_parts"):
        return text
    if style.has("case_for_coalesce"):
        return f"CASE WHEN {text} = 0 THEN NULL ELSE {text} END"
    return f"NULLIF({text}, 0)"


def _ratio(above: str, below: str, style: Style) -> str:
    if style.has("in_parts"):  # the caller names the last one
        return f"CAST({above} AS DOUBLE) AS top, CAST({below} AS DOUBLE)"
    if style.has("lateral_alias"):  # the caller names the last one here too
        return f"{above} AS above, {below} AS below, above / below"
    if style.has("arithmetic"):
        return f"{above} * (1.0 / {below})"
    return f"{above} / {below}"


def whole(measure: Measure, style: Style, tail: str = "") -> str:
    """A measure in one aggregation; `tail` follows each aggregate (FILTER or OVER)."""
    of, kind = _of(measure, style), measure.kind
    split = style.has("sum_by_count", "in_parts", "lateral_alias")
    if kind == "mean" and split:
        return _ratio(f"SUM({of}){tail}", f"COUNT({of}){tail}", style)
    if kind == "share" and style.has("sum_by_count"):
        return f"AVG(CASE WHEN {_when(measure, style)} THEN 1.0 ELSE 0.0 END){tail}"
    if kind == "share":
        return _ratio(f"{_hits(measure, style)}{tail}", f"COUNT(*){tail}", style)
    if style.has("lateral_alias"):
        raise Inapplicable
    if kind == "total":
        return f"CAST({_or_zero(f'SUM({of}){tail}', style)} AS DOUBLE)"
    if tail and kind in ("value", "raw"):
        raise Inapplicable
    return _SIMPLE[kind].format(of) + tail


def pieces(measure: Measure, style: Style) -> list[str]:
    """What is aggregated per moment so that windows can put it together."""
    of, kind = _of(measure, style), measure.kind
    if kind == "mean" and style.has("sum_by_count"):
        return [f"AVG({of}) * COUNT({of})", f"COUNT({of})"]
    found = {
        "mean": [f"SUM({of})", f"COUNT({of})"],
        "total": [_or_zero(f"SUM({of})", style)],
        "max": [f"MAX({of})"],
        "min": [f"MIN({of})"],
        "count": ["COUNT(*)"],
    }
    if kind == "share":
        return [_hits(measure, style), "COUNT(*)"]
    if kind not in found:
        raise Inapplicable
    return found[kind]


def combined(measure: Measure, style: Style, total: Callable[[str, str], str]) -> str:
    """A measure from its pieces; `total(function, piece)` aggregates one of them again."""
    made = pieces(measure, style)
    if measure.kind in ("mean", "share"):
        above, below = total("SUM", made[0]), total("SUM", made[1])
        return _ratio(above, _not_zero(below, style), style)
    if measure.kind in ("max", "min"):
        return f"{total(measure.kind.upper(), made[0])}"
    kind = "BIGINT" if measure.kind == "count" else "DOUBLE"
    return f"CAST({total('SUM', made[0])} AS {kind})"
