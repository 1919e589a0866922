"""Writes a `View` as SQL by plain text, in as many ways as `Style` has switches.

The canonicaliser knows nothing of this and this nothing of it: no parser is used here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from bench.duplicates.shapes import WINDOWED, Condition, Item, Measure, View, item_name

T = TypeVar("T")
_COLUMN = re.compile(r"\[(\+?)(\w+)\]")
_UNIT_DAYS: Final = {"day": 1, "week": 7}

# Tables beside the real ones: copies under another name, and one with other column names as well.
COPIES: Final = {"flights": "flight_log", "weather": "sky_log", "planes": "fleet_log"}
RENAMED: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "flights": (
        "movements",
        {
            "carrier": "airline", "origin": "came_from", "dest": "went_to", "tailnum": "tail",
            "arr_delay": "late_in", "dep_delay": "late_out", "air_time": "aloft",
            "distance": "miles", "outcome_known_at": "settled_at", "dep_at": "left_at",
            "sched_dep_at": "due_at", "cancelled": "scrapped", "diverted": "rerouted",
            "flight": "number",
        },
    ),
    "weather": (
        "sky",
        {
            "origin": "station", "available_at": "published_at", "temperature": "t_air",
            "dew_point": "t_dew", "humidity": "rh", "wind_speed": "wind", "wind_gust": "gust",
            "pressure": "hpa", "visibility": "sight", "precipitation": "rain",
        },
    ),
    "planes": (
        "aircraft",
        {
            "tailnum": "tail", "known_from": "listed_at", "year_built": "born", "engines": "motors",
            "seats": "places", "model": "type_name", "manufacturer": "maker",
            "engine_type": "motor_kind",
        },
    ),
}  # fmt: skip
# Sums a day and flight's keys, for rolling features: what a sum over rows becomes over sums.
SUMMED: Final = {
    "COUNT(*)": "SUM(n_flights)",
    "SUM([arr_delay])": "SUM(sum_arr_delay)",
    "COUNT([arr_delay])": "SUM(n_landed)",
    "SUM([dep_delay])": "SUM(sum_dep_delay)",
    "COUNT([dep_delay])": "SUM(n_departed)",
    "SUM([distance])": "SUM(sum_distance)",
    "COUNT([distance])": "SUM(n_flights)",
    "SUM(CASE WHEN [arr_delay] > 15 THEN 1 ELSE 0 END)": "SUM(n_late_15)",
    "SUM(CASE WHEN [cancelled] = TRUE THEN 1 ELSE 0 END)": "SUM(n_cancelled)",
    "MAX([arr_delay])": "MAX(max_arr_delay)",
    "MAX([dep_delay])": "MAX(max_dep_delay)",
}
_HALVES: Final = {"flights": "[distance]", "weather": "[origin]", "planes": "[tailnum]"}
_CUTS: Final = {"flights": "700", "weather": "'JFK'", "planes": "'N5'"}


class Inapplicable(Exception):
    """This way of writing says nothing about this view."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a query is written: `ways` names the switches that are on, see `families.py`.

    `finish` wraps an item's last expression (`"({}) * 60"`) by item name; `later` is added to the
    time at which each row is known.
    """

    ways: frozenset[str] = frozenset()
    finish: Mapping[str, str] = field(default_factory=dict)
    later: str = ""

    def has(self, way: str) -> bool:
        return way in self.ways


PLAIN: Final = Style()


def render(view: View, style: Style = PLAIN, names: Mapping[str, str] | None = None) -> str:
    """The query of a view; `names` gives features other names than `item_name`.

    Raises `Inapplicable` where the style cannot be written for this view.
    """
    writer = _Writer(view, style, names or {})
    text = writer.windowed() if view.horizon in WINDOWED else writer.grouped()
    if style.has("passed_through"):
        inner = writer.outputs()
        text = (
            f"WITH made AS ({text}) SELECT {', '.join(inner)} FROM (SELECT * FROM made) AS passed"
        )
    return _reformatted(text) if style.has("reformat") else text


@dataclass(frozen=True, slots=True)
class _Writer:
    view: View
    style: Style
    names: Mapping[str, str]

    # -- columns and conditions

    def columns(self, text: str) -> str:
        """Replace `[column]` by the column's name in the table that is read."""

        def name(match: re.Match[str]) -> str:
            joined, column = match.groups()
            if joined and self.semi():
                raise Inapplicable
            if joined:
                return f"{self.joined_name()}.{column}"
            return self.prefix() + self.renamed().get(column, column)

        return _COLUMN.sub(name, text)

    def renamed(self) -> Mapping[str, str]:
        if not self.style.has("renamed_table"):
            return {}
        return _known(RENAMED, self.view.stream.table)[1]

    def prefix(self) -> str:
        if self.style.has("alias"):
            return "f."
        joined = self.view.join is not None and not self.semi()
        return f"{self.table()}." if joined else ""

    def joined_name(self) -> str:
        assert self.view.join is not None
        return "p" if self.style.has("alias") else self.view.join.table

    def semi(self) -> bool:
        return self.style.has("semi_join")

    def condition(self, condition: Condition) -> str:
        return self.columns(_condition(condition, self.style))

    def conditions(self) -> list[str]:
        found = [*self.view.stream.conditions, *self.view.conditions]
        join = self.view.join
        said = [self.condition(c) for c in found]
        if join is not None and self.semi():
            inner = [_bare(_condition(c, self.style)) for c in join.conditions]
            where = f" WHERE {' AND '.join(inner)}" if inner else ""
            column = self.columns(f"[{join.on}]")
            said.append(f"{column} IN (SELECT {join.on} FROM {join.table}{where})")
        elif join is not None:
            said += [self.condition(c) for c in join.conditions]
        said += [f"{self.columns(f'[{key}]')} IS NOT NULL" for key in self.nullable_keys()]
        return said[::-1] if self.style.has("commute") else said

    def nullable_keys(self) -> list[str]:
        flights = self.view.stream.table == "flights"
        return [
            k for k in self.view.entity if k == "tailnum" and flights and self.view.join is None
        ]

    def where(self) -> str:
        found = self.conditions()
        return f" WHERE {' AND '.join(found)}" if found else ""

    # -- tables

    def table(self) -> str:
        name = self.view.stream.table
        if self.style.has("copied_table"):
            return _known(COPIES, name)
        if self.style.has("renamed_table"):
            return _known(RENAMED, name)[0]
        return name

    def source(self) -> str:
        name = self.table()
        alias = " AS f" if self.style.has("alias") else ""
        if self.style.has("union_of_halves"):
            return self._halves(name)
        join = self.view.join
        if join is None or self.semi():
            return name + alias
        if self.style.has("join_order"):
            return f"{join.table} INNER JOIN {name} USING ({join.on})"
        other = f"{join.table} AS p" if self.style.has("alias") else join.table
        left, right = self.columns(f"[{join.on}]"), self.columns(f"[+{join.on}]")
        return f"{name}{alias} JOIN {other} ON {left} = {right}"

    def _halves(self, name: str) -> str:
        table = self.view.stream.table
        if self.view.join is not None or table not in _HALVES:
            raise Inapplicable
        column, cut = self.columns(_HALVES[table]), _CUTS[table]
        first = f"SELECT * FROM {name} WHERE {column} <= {cut}"
        return f"({first} UNION ALL SELECT * FROM {name} WHERE {column} > {cut}) AS halves"

    def keys(self) -> list[str]:
        return [self.columns(f"[{self.view.stream.column_of(key)}]") for key in self.view.entity]

    def named_keys(self) -> list[str]:
        pairs = zip(self.keys(), self.view.entity, strict=True)
        return [c if c.split(".")[-1] == k and "." not in c else f"{c} AS {k}" for c, k in pairs]

    # -- times

    def bucket(self, unit: str) -> str:
        time = self.columns(f"[{self.view.stream.time}]")
        if not self.style.has("date_functions"):
            return f"date_trunc('{unit}', {time})"
        length = "1 MONTH" if unit == "month" else f"{_UNIT_DAYS[unit]} DAY"
        return f"time_bucket(INTERVAL {length}, {time})"

    def length(self, amount: int, unit: str) -> str:
        if self.style.has("interval_in_hours"):
            if unit == "MONTH":
                raise Inapplicable
            return f"INTERVAL {amount * {'HOUR': 1, 'DAY': 24, 'WEEK': 168}[unit]} HOUR"
        return f"INTERVAL {amount} {unit}"

    def known(self, start: str) -> str:
        horizon = self.view.horizon
        ends = {"day": (1, "DAY"), "week": (7, "DAY"), "month": (1, "MONTH"), "rolling": (1, "DAY"),
                "so_far": (1, "DAY")}  # fmt: skip
        text = f"{start} + {self.length(*ends[horizon])}" if horizon in ends else start
        return f"{text} + {self.style.later}" if self.style.later else text

    # -- the whole

    def outputs(self) -> list[str]:
        return [*self.view.entity, "known_at", *(self.name(i) for i in self.view.items)]

    def name(self, item: Item) -> str:
        plain = item_name(self.view, item)
        return self.names.get(plain, plain)

    def finished(self, item: Item, text: str) -> str:
        template = self.style.finish.get(item_name(self.view, item))
        return f"{template.format(text) if template else text} AS {self.name(item)}"

    def grouped(self) -> str:
        """One SELECT: rows as they are, or grouped by key and calendar bucket."""
        view, style = self.view, self.style
        rows = view.horizon == "row"
        start = self.columns(f"[{view.stream.time}]") if rows else self.bucket(view.horizon)
        values = [
            self.finished(item, self.columns(_whole(item.measure, style))) for item in view.items
        ]
        heads = [*self.named_keys(), f"{self.known(start)} AS known_at"]
        selected = [*values, *heads] if style.has("commute") else [*heads, *values]
        text = f"SELECT {', '.join(selected)} FROM {self.source()}{self.where()}"
        return text if rows else text + self.group_by([*self.keys(), start])

    def group_by(self, terms: Sequence[str]) -> str:
        if self.style.has("group_by_position"):
            return f" GROUP BY {', '.join(str(n + 1) for n in range(len(terms)))}"
        listed = terms[::-1] if self.style.has("commute") else terms
        return f" GROUP BY {', '.join(listed)}"

    def windowed(self) -> str:
        """Sums of each key and moment, then windows over them."""
        pieces = self.pieces()
        moments = self.moments(pieces)
        inner = "slices" if self.style.has("alias") else "moments"
        if self.style.has("self_join"):
            return self.self_joined(moments, pieces)
        values = [self.finished(i, self.over(i, pieces)) for i in self.view.items]
        heads = [*self.view.entity, f"{self.known('moment')} AS known_at"]
        selected = [*values, *heads] if self.style.has("commute") else [*heads, *values]
        tail = "" if self.style.has("inline_window") else f" WINDOW {', '.join(self.windows())}"
        if self.style.has("subquery_for_cte"):
            return f"SELECT {', '.join(selected)} FROM ({moments}) AS {inner}{tail}"
        return f"WITH {inner} AS ({moments}) SELECT {', '.join(selected)} FROM {inner}{tail}"

    def moments(self, pieces: Mapping[str, str]) -> str:
        hours = self.view.horizon == "hours"
        time = self.columns(f"[{self.view.stream.time}]")
        start = time if hours else self.bucket("day")
        source, where = self.source(), self.where()
        if self.style.has("summed_table"):
            start, source, where = "day", "flight_days", self.summed_where()
        made = [f"{self.summed(piece)} AS {name}" for piece, name in pieces.items()]
        heads = [*self.named_keys(), f"{start} AS moment"]
        return f"SELECT {', '.join([*heads, *made])} FROM {source}{where}" + self.group_by(
            [*self.keys(), start]
        )

    def summed(self, piece: str) -> str:
        if not self.style.has("summed_table"):
            return self.columns(piece)
        return _known(SUMMED, piece)

    def summed_where(self) -> str:
        view = self.view
        if (
            view.stream.name != "outcomes"
            or view.conditions
            or view.join
            or view.horizon == "hours"
        ):
            raise Inapplicable
        return self.where()

    def pieces(self) -> dict[str, str]:
        """What must be summed per moment, and the name each gets."""
        stem = "x" if self.style.has("alias") else "part"
        texts = [piece for item in self.view.items for piece in _pieces(item.measure, self.style)]
        return {text: f"{stem}{n}" for n, text in enumerate(dict.fromkeys(texts))}

    def over(self, item: Item, pieces: Mapping[str, str]) -> str:
        if self.style.has("inline_window"):
            window = f"({self.window(item.span)})"
        else:
            window = _window_name(self.view.horizon, item.span)

        def total(function: str, piece: str) -> str:
            return f"{function}({pieces[piece]}) OVER {window}"

        return _combined(item.measure, self.style, total)

    def windows(self) -> list[str]:
        spans = dict.fromkeys(item.span for item in self.view.items)
        return [f"{_window_name(self.view.horizon, s)} AS ({self.window(s)})" for s in spans]

    def window(self, span: int) -> str:
        head = f"PARTITION BY {', '.join(self.view.entity)} ORDER BY moment"
        if self.view.horizon == "so_far":
            return f"{head} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        back = self.back(span)
        return f"{head} RANGE BETWEEN {back} PRECEDING AND CURRENT ROW"

    def back(self, span: int) -> str:
        if self.view.horizon == "hours":
            return self.length(span, "HOUR")
        return self.length(span - 1, "DAY")

    def self_joined(self, moments: str, pieces: Mapping[str, str]) -> str:
        """Each moment joined with those of its window, instead of a window."""
        spans = {item.span for item in self.view.items}
        if self.view.horizon != "rolling" or len(spans) != 1:
            raise Inapplicable
        entity = self.view.entity

        def total(function: str, piece: str) -> str:
            return f"{function}(b.{pieces[piece]})"

        values = [
            self.finished(i, _combined(i.measure, self.style, total)) for i in self.view.items
        ]
        keys = [f"a.{key}" for key in entity]
        on = [f"a.{key} = b.{key}" for key in entity]
        on.append(f"b.moment BETWEEN a.moment - {self.back(spans.pop())} AND a.moment")
        heads = [*keys, f"{self.known('a.moment')} AS known_at"]
        return (
            f"WITH moments AS ({moments}) SELECT {', '.join([*heads, *values])} FROM moments a "
            f"JOIN moments b ON {' AND '.join(on)} GROUP BY {', '.join([*keys, 'a.moment'])}"
        )


def _known(table: Mapping[str, T], key: str) -> T:
    if key not in table:
        raise Inapplicable
    return table[key]


def _bare(text: str) -> str:
    return _COLUMN.sub(r"\2", text)


def _window_name(horizon: str, span: int) -> str:
    return f"last_{span}_{'hours' if horizon == 'hours' else 'days'}" if span else "up_to_now"


def _condition(condition: Condition, style: Style) -> str:
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


_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "<>"}
_FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "="}


def _of(measure: Measure, style: Style) -> str:
    if style.has("commute") and measure.commuted:
        return measure.commuted
    if style.has("arithmetic") and measure.rearranged:
        return measure.rearranged
    return measure.of


def _hits(measure: Measure, style: Style) -> str:
    """How many rows fulfil the condition of a share."""
    assert measure.when is not None
    when = _condition(measure.when, style)
    if style.has("filter_clause"):
        return f"COUNT(*) FILTER (WHERE {when})"
    if style.has("count_of_case"):
        return f"COUNT(CASE WHEN {when} THEN 1 END)"
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
    if style.has("arithmetic"):
        return f"{above} * (1.0 / {below})"
    return f"{above} / {below}"


def _whole(measure: Measure, style: Style) -> str:
    """A measure in one aggregation."""
    of, kind = _of(measure, style), measure.kind
    if kind == "mean" and (style.has("sum_by_count") or style.has("in_parts")):
        return _ratio(f"SUM({of})", f"COUNT({of})", style)
    if kind == "share" and style.has("sum_by_count"):
        assert measure.when is not None
        return f"AVG(CASE WHEN {_condition(measure.when, style)} THEN 1.0 ELSE 0.0 END)"
    if kind == "share":
        return _ratio(_hits(measure, style), "COUNT(*)", style)
    if kind == "total":
        return f"CAST({_or_zero(f'SUM({of})', style)} AS DOUBLE)"
    return _SIMPLE[kind].format(of)


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


def _pieces(measure: Measure, style: Style) -> list[str]:
    """What is aggregated per moment so that windows can put it together."""
    of, kind = _of(measure, style), measure.kind
    if kind == "mean" and style.has("sum_by_count"):
        return [f"AVG({of}) * COUNT({of})", f"COUNT({of})"]
    pieces = {
        "mean": [f"SUM({of})", f"COUNT({of})"],
        "total": [_or_zero(f"SUM({of})", style)],
        "max": [f"MAX({of})"],
        "min": [f"MIN({of})"],
        "count": ["COUNT(*)"],
    }
    if kind == "share":
        return [_hits(measure, style), "COUNT(*)"]
    if kind not in pieces:
        raise Inapplicable
    return pieces[kind]


def _combined(measure: Measure, style: Style, total: Callable[[str, str], str]) -> str:
    """A measure from its pieces; `total(function, piece)` aggregates one over the window."""
    pieces = _pieces(measure, style)
    if measure.kind in ("mean", "share"):
        above, below = total("SUM", pieces[0]), total("SUM", pieces[1])
        return _ratio(above, _not_zero(below, style), style)
    if measure.kind in ("max", "min"):
        return f"{total(measure.kind.upper(), pieces[0])}"
    kind = "BIGINT" if measure.kind == "count" else "DOUBLE"
    return f"CAST({total('SUM', pieces[0])} AS {kind})"


def _reformatted(text: str) -> str:
    """Other case, line breaks, comments and brackets of spacing; texts in quotes stay."""
    parts = re.split(r"('[^']*')", text)
    lowered = [part if part.startswith("'") else part.lower() for part in parts]
    broken = "".join(lowered).replace(" from ", "\n-- the rows\nfrom ")
    return broken.replace(", ", "\n  ,").replace(" where ", "\n where /* kept */ ") + "\n"
