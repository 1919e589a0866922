"""The near copies: what each family does to the last expression, or to the time, of a feature.

For each also how to tell from both values that the copy is what its label says, in SQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bench.duplicates.shapes import Item, View
from bench.duplicates.vocabulary import TEXT

FRACTIONS: Final = frozenset({"mean", "share", "std", "median", "p90"})
WHOLE: Final = frozenset({"count", "distinct"})
_LACKING: Final = frozenset({"wind_gust", "max_wind_gust", "pressure", "year_built", "age"})
_METRIC: Final = {"mile": 1.609344, "mile_per_hour": 1.609344, "inch": 25.4, "foot": 0.3048}


@dataclass(frozen=True, slots=True)
class Change:
    """`wrap` goes round the expression, `later` is added to the time. `unit` is the new one,
    `dtype` the Feast type where it changes; `python` the same as a Python expression of `x`."""

    wrap: str = "{}"
    later: str = ""
    unit: str = ""
    dtype: str = ""
    python: str = ""


Make = Callable[[View, Item], Change | None]


def changes(family: str, view: View, item: Item) -> tuple[Change, ...]:
    """The ways in which this family changes this feature; none where it does not fit."""
    measure = item.measure
    if family == "recoded":
        return _RECODED if measure.name in ("model", "manufacturer") else ()
    if measure.name in TEXT or measure.kind == "raw":
        return ()
    made = _CHANGES[family](view, item)
    return (made,) if made is not None else ()


def _scaled(_view: View, item: Item) -> Change:
    if item.measure.unit == "minute":
        return Change("({}) * 60", unit="second", python="x * 60")
    if item.measure.unit == "1":
        return Change("100 * ({})", unit="percent", python="100 * x")
    return Change("({}) / 1000.0", unit=f"thousand_{item.measure.unit}", python="x / 1000.0")


def _offset(_view: View, item: Item) -> Change | None:
    if item.measure.unit == "degree_fahrenheit":
        return Change("(({}) - 32) * 5 / 9", unit="degree_celsius")
    if item.measure.unit == "minute":
        return Change("(({}) + 15) / 60.0", unit="hour")
    return None


def _metric(_view: View, item: Item) -> Change | None:
    factor = _METRIC.get(item.measure.unit)
    return None if factor is None else Change(f"({{}}) * {factor}", unit="metric")


def _rounded(_view: View, item: Item) -> Change | None:
    if item.measure.kind not in FRACTIONS:
        return None
    return Change(f"ROUND({{}}, {2 if item.measure.unit == '1' else 1})")


def _whole(text: str) -> Make:
    def make(_view: View, item: Item) -> Change | None:
        fits = item.measure.kind in FRACTIONS and item.measure.unit != "1"
        return Change(text, dtype="Int64") if fits else None

    return make


def _nulls(fill: str) -> Make:
    def make(view: View, item: Item) -> Change | None:
        return Change(f"COALESCE({{}}, {fill})") if _has_nulls(view, item) else None

    return make


def _has_nulls(view: View, item: Item) -> bool:
    """Deviations of single flights, days without a landing, what the weather and registers lack."""
    measure = item.measure
    if measure.kind == "std" or measure.name in _LACKING:
        return True
    unlanded = view.stream.name == "outcomes" and view.horizon == "day"
    return (
        unlanded
        and measure.kind in ("mean", "max", "min", "median")
        and any(column in measure.of for column in ("arr_delay", "dep_delay", "air_time"))
    )


def _later(interval: str) -> Make:
    def make(view: View, _item: Item) -> Change | None:
        still = view.stream.name in ("register", "places")
        return None if still else Change(later=f"INTERVAL {interval}")

    return make


def _complement(_view: View, item: Item) -> Change | None:
    return Change("1 - ({})") if item.measure.kind == "share" else None


def _sign(_view: View, item: Item) -> Change | None:
    return Change("-1 * ({})") if item.measure.kind not in WHOLE else None


def _scaled_and_rounded(_view: View, item: Item) -> Change | None:
    if item.measure.kind in WHOLE:
        return None
    if item.measure.unit == "1":
        return Change("ROUND(({}) * 100, 1)", unit="percent")
    return Change("ROUND(({}) / 60.0, 2)", unit=f"sixty_{item.measure.unit}")


def _cast_real(_view: View, item: Item) -> Change | None:
    fits = item.measure.kind in FRACTIONS
    return Change("CAST({} AS REAL)", dtype="Float32") if fits else None


def _to_five(_view: View, item: Item) -> Change | None:
    fits = item.measure.kind in FRACTIONS | {"max", "min"}
    return Change("5 * ROUND(({}) / 5.0)") if fits and item.measure.unit in _BROAD else None


def _logarithm(_view: View, item: Item) -> Change | None:
    grows = item.measure.kind in WHOLE or item.measure.name in ("total_distance", "total_air_time")
    return Change("LN(1 + ({}))", dtype="Float64") if grows else None


def _decimal(_view: View, item: Item) -> Change | None:
    fits = item.measure.kind in FRACTIONS
    return Change("CAST(CAST({} AS DECIMAL(18, 3)) AS DOUBLE)") if fits else None


def _formatted(_view: View, item: Item) -> Change | None:
    fits = item.measure.kind in FRACTIONS
    return Change("printf('%.2f', CAST({} AS DOUBLE))", dtype="String") if fits else None


def _filled_and_scaled(view: View, item: Item) -> Change | None:
    made = _scaled(view, item)
    filled = replace(made, wrap=f"COALESCE({made.wrap}, 0)")
    return filled if _has_nulls(view, item) else None


def _offset_rounded(view: View, item: Item) -> Change | None:
    made = None if item.measure.kind in WHOLE else _offset(view, item)
    return None if made is None else replace(made, wrap=f"ROUND({made.wrap}, 2)")


_BROAD: Final = frozenset({"minute", "mile", "mile_per_hour", "degree_fahrenheit"})
_CHANGES: Final[Mapping[str, Make]] = {
    "scaled": _scaled,
    "cast_real": _cast_real,
    "rounded": _rounded,
    "zero_for_null": _nulls("0"),
    "day_later": _later("1 DAY"),
    "scaled_in_python": _scaled,
    "offset_and_scaled": _offset,
    "distance_unit": _metric,
    "cast_text": lambda _view, _item: Change("CAST({} AS VARCHAR)", dtype="String"),
    "cast_whole": _whole("CAST({} AS BIGINT)"),
    "floored": _whole("CAST(FLOOR({}) AS BIGINT)"),
    "sentinel_for_null": _nulls("-999"),
    "week_later": _later("7 DAY"),
    "hours_later": _later("6 HOUR"),
    "complement": _complement,
    "sign": _sign,
    "scaled_and_rounded": _scaled_and_rounded,
    "rounded_to_five": _to_five,
    "logarithm": _logarithm,
    "three_days_later": _later("3 DAY"),
    "fortnight_later": _later("14 DAY"),
    "minus_one_for_null": _nulls("-1"),
    "cast_decimal": _decimal,
    "formatted_text": _formatted,
    "scaled_and_filled": _filled_and_scaled,
    "offset_scaled_rounded": _offset_rounded,
    "pandas_scaled": _scaled,
}
_RECODED: Final = (
    Change("LOWER({})"),
    Change("md5({})"),
    Change("'K-' || {}"),
    Change("REVERSE({})"),
    Change("hash({}) % 1000003", dtype="Int64"),
    Change("REPLACE({}, ' ', '_') || '.'"),
)
