"""What the registry of the examination holds before anybody copies: features by entity."""

import random
from typing import Final

from bench.duplicates import vocabulary as words
from bench.duplicates.little import HUSH, LITTLE
from bench.duplicates.shapes import Condition, Item, Join, Stream, View
from bench.duplicates.vocabulary import CONDITIONS, FLIGHT_MEASURES, SKY_MEASURES

SEED: Final = 20131127
_ALWAYS = {
    "rolling": ("mean_arr_delay", "late_15_rate", "cancel_rate", "flights", "max_arr_delay"),
    "day": ("mean_arr_delay", "late_15_rate", "median_dep_delay", "destinations"),
}
_MORE = (
    "mean_dep_delay", "slow_15_rate", "total_distance", "mean_distance", "mean_air_time",
    "mean_gained", "mean_both_delays", "mean_speed", "total_arr_delay", "min_arr_delay",
    "max_dep_delay", "midday_delay_rate", "big_hub_rate", "late_30_rate", "total_air_time",
)  # fmt: skip
_MORE_WHOLE = ("p90_arr_delay", "std_arr_delay", "median_arr_delay", "planes", "std_dep_delay")
WINDOWED_KINDS: Final = frozenset({"mean", "share", "total", "max", "min", "count"})


def registered() -> tuple[View, ...]:
    """The same views at each call; every feature once."""
    chance = random.Random(SEED)
    views: list[View] = []
    for entity in words.FLYING:
        views += _flying(entity, chance)
    views += _hourly(chance)
    views += _plain()
    return tuple(views)


def _flying(entity: tuple[str, ...], chance: random.Random) -> list[View]:
    usable = [c for c in words.FLIGHT_CONDITIONS if _fits(entity, CONDITIONS[c])]
    first, second, third = (CONDITIONS[c] for c in chance.sample(usable, 3))
    large = words.LARGE if entity != words.PLANE else None
    frames: list[tuple[Stream, str, tuple[Condition, ...], Join | None]] = [
        (words.OUTCOMES, "rolling", (), None),
        (words.LANDED, "rolling", (first,), None),
        (words.OUTCOMES, "day", (), None),
        (words.LANDED, "week", (second,), None),
        (words.DEPARTED, "day", (third,), None),
        (words.LANDED, "rolling" if len(entity) == 1 else "month", (), large),
        (words.OUTCOMES, "so_far", (), None),
    ]
    return [
        View(entity, stream, horizon, _items(horizon, entity, chance), conditions, join)
        for stream, horizon, conditions, join in frames
    ]


def _fits(entity: tuple[str, ...], condition: Condition) -> bool:
    """Whether a condition leaves more than one key of the entity to speak of."""
    return all(f"[{key}]" not in condition.left for key in entity)


def _items(horizon: str, entity: tuple[str, ...], chance: random.Random) -> tuple[Item, ...]:
    always = _ALWAYS.get(horizon, ())
    more = [m for m in _MORE if m not in always]
    if horizon not in ("rolling", "so_far", "hours"):
        more += _MORE_WHOLE
    chosen = [*always, *chance.sample(more, 3 if always else 5)]
    measures = [FLIGHT_MEASURES[name] for name in chosen if _told(name, entity)]
    if horizon != "rolling":
        return tuple(Item(measure) for measure in measures)
    return tuple(Item(measure, chance.choice((7, 30))) for measure in measures)


def _told(name: str, entity: tuple[str, ...]) -> bool:
    """Whether a measure says something about this entity: a route has one distance."""
    fixed = {"dest": ("destinations", "big_hub_rate"), "tailnum": ("planes",)}
    out = {name for key in entity for name in fixed.get(key, ())}
    if {"origin", "dest"} <= set(entity):
        out |= {"mean_distance"}
    return name not in out


def _hourly(chance: random.Random) -> list[View]:
    names = ("mean_dep_delay", "slow_15_rate", "flights", "max_dep_delay")
    return [
        View(entity, words.DEPARTED, "hours",
             tuple(Item(FLIGHT_MEASURES[n], h) for n, h in zip(names, (2, 24, 6, 24), strict=True)))
        for entity in (words.CARRIER, words.ORIGIN, words.DEST)
    ]  # fmt: skip


def _plain() -> list[View]:
    """Weather and the registers, and what says little: calendar, counters, constants, flags."""
    sky_day = ("mean_temperature", "max_temperature", "min_dew_point", "mean_humidity",
               "max_wind_gust", "total_precipitation")  # fmt: skip
    sky_week = ("mean_pressure", "mean_temperature", "max_wind_speed", "mean_dew_point")
    sky_rolling = (("mean_temperature", 3), ("mean_dew_point", 7), ("mean_wind_speed", 7),
                   ("mean_humidity", 30), ("max_temperature", 7),
                   ("total_precipitation", 7))  # fmt: skip
    views = [
        View(words.ORIGIN, words.WEATHER, "row", tuple(map(Item, words.SKY_VALUES.values()))),
        View(words.ORIGIN, words.WEATHER, "day", tuple(Item(SKY_MEASURES[n]) for n in sky_day)),
        View(words.ORIGIN, words.WEATHER, "week", tuple(Item(SKY_MEASURES[n]) for n in sky_week),
             (CONDITIONS["windy"],)),
        View(words.ORIGIN, words.WEATHER, "rolling",
             tuple(Item(SKY_MEASURES[n], s) for n, s in sky_rolling)),
        View(words.PLANE, words.REGISTER, "row", tuple(map(Item, words.PLANE_VALUES.values()))),
        View(words.DEST, words.PLACES, "row", tuple(map(Item, words.PLACE_VALUES.values()))),
        View(words.CARRIER, words.LANDED, "day", tuple(map(Item, words.SEAT_MEASURES.values())), (),
             words.ANY_PLANE),
        View(words.ROUTE, words.LANDED, "week", tuple(map(Item, words.SEAT_MEASURES.values())), (),
             words.ANY_PLANE),
    ]  # fmt: skip
    for entity in (words.CARRIER, words.ORIGIN, words.ROUTE, words.PLANE):
        views.append(View(entity, words.OUTCOMES, "day", tuple(map(Item, LITTLE[:6])), (HUSH,)))
    return views
