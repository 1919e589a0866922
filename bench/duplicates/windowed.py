"""Queries over trailing windows: sums of each key and moment, then windows over those."""

from collections.abc import Mapping

from bench.duplicates.grouped import group_by
from bench.duplicates.reading import Reading
from bench.duplicates.shapes import Item
from bench.duplicates.spelled import combined, pieces
from bench.duplicates.style import Inapplicable, entry
from bench.duplicates.tables import SUMMED

_GROUPED_ONLY = (
    "window_for_group", "having_for_where", "correlated_subquery", "two_levels", "lateral_alias",
)  # fmt: skip


def windowed(reading: Reading) -> str:
    """Sums of each key and moment, then windows over them."""
    style = reading.style
    if style.has(*_GROUPED_ONLY):
        raise Inapplicable
    parts = _parts(reading)
    moments = _moments(reading, parts)
    inner = "slices" if style.has("alias") else "moments"
    if style.has("self_join"):
        return _self_joined(reading, moments, parts)
    values = [reading.finished(i, _over(reading, i, parts)) for i in reading.view.items]
    heads = [*reading.view.entity, f"{reading.known('moment')} AS known_at"]
    selected = [*values, *heads] if style.has("commute") else [*heads, *values]
    tail = "" if style.has("inline_window") else f" WINDOW {', '.join(_windows(reading))}"
    if style.has("subquery_for_cte"):
        return f"SELECT {', '.join(selected)} FROM ({moments}) AS {inner}{tail}"
    return f"WITH {inner} AS ({moments}) SELECT {', '.join(selected)} FROM {inner}{tail}"


def _parts(reading: Reading) -> dict[str, str]:
    """What must be summed per moment, and the name each gets."""
    stem = "x" if reading.style.has("alias") else "part"
    texts = [p for item in reading.view.items for p in pieces(item.measure, reading.style)]
    return {text: f"{stem}{n}" for n, text in enumerate(dict.fromkeys(texts))}


def _moments(reading: Reading, parts: Mapping[str, str]) -> str:
    hours = reading.view.horizon == "hours"
    if hours and reading.style.has("cast_to_date", "text_dates"):
        raise Inapplicable
    time = reading.columns(f"[{reading.view.stream.time}]")
    start = time if hours else reading.bucket("day")
    source, where = reading.source(), reading.where()
    if reading.style.has("summed_table"):
        start, source, where = "day", "flight_days", _summed_where(reading)
    made = [f"{_summed(reading, piece)} AS {name}" for piece, name in parts.items()]
    heads = [*reading.named_keys(), f"{start} AS moment"]
    return f"SELECT {', '.join([*heads, *made])} FROM {source}{where}" + group_by(
        reading, [*reading.keys(), start]
    )


def _summed(reading: Reading, piece: str) -> str:
    if not reading.style.has("summed_table"):
        return reading.columns(piece)
    return entry(SUMMED, piece)


def _summed_where(reading: Reading) -> str:
    view = reading.view
    narrowed = view.conditions or view.join or view.horizon == "hours"
    if view.stream.name != "outcomes" or narrowed:
        raise Inapplicable
    return reading.where()


def _over(reading: Reading, item: Item, parts: Mapping[str, str]) -> str:
    if reading.style.has("inline_window"):
        window = f"({_window(reading, item.span)})"
    else:
        window = _window_name(reading.view.horizon, item.span)

    def total(function: str, piece: str) -> str:
        return f"{function}({parts[piece]}) OVER {window}"

    return combined(item.measure, reading.style, total)


def _windows(reading: Reading) -> list[str]:
    spans = dict.fromkeys(item.span for item in reading.view.items)
    horizon = reading.view.horizon
    return [f"{_window_name(horizon, s)} AS ({_window(reading, s)})" for s in spans]


def _window(reading: Reading, span: int) -> str:
    head = f"PARTITION BY {', '.join(reading.view.entity)} ORDER BY moment"
    if reading.view.horizon == "so_far":
        return f"{head} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    return f"{head} RANGE BETWEEN {_back(reading, span)} PRECEDING AND CURRENT ROW"


def _back(reading: Reading, span: int) -> str:
    if reading.view.horizon == "hours":
        return reading.length(span, "HOUR")
    return reading.length(span - 1, "DAY")


def _self_joined(reading: Reading, moments: str, parts: Mapping[str, str]) -> str:
    """Each moment joined with those of its window, instead of a window."""
    view = reading.view
    spans = {item.span for item in view.items}
    if view.horizon != "rolling" or len(spans) != 1:
        raise Inapplicable

    def total(function: str, piece: str) -> str:
        return f"{function}(b.{parts[piece]})"

    values = [reading.finished(i, combined(i.measure, reading.style, total)) for i in view.items]
    keys = [f"a.{key}" for key in view.entity]
    on = [f"a.{key} = b.{key}" for key in view.entity]
    on.append(f"b.moment BETWEEN a.moment - {_back(reading, spans.pop())} AND a.moment")
    heads = [*keys, f"{reading.known('a.moment')} AS known_at"]
    return (
        f"WITH moments AS ({moments}) SELECT {', '.join([*heads, *values])} FROM moments a "
        f"JOIN moments b ON {' AND '.join(on)} GROUP BY {', '.join([*keys, 'a.moment'])}"
    )


def _window_name(horizon: str, span: int) -> str:
    return f"last_{span}_{'hours' if horizon == 'hours' else 'days'}" if span else "up_to_now"
