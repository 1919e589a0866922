"""The streams, measures, conditions and spans that the corpus draws from. Facts, no choices."""

from typing import Final

from bench.duplicates.shapes import Condition, Join, Measure, Stream

CARRIER = ("carrier",)
ORIGIN = ("origin",)
DEST = ("dest",)
PLANE = ("tailnum",)
ROUTE = ("origin", "dest")
HUB = ("carrier", "origin")
LINE = ("carrier", "dest")
FLYING: Final = (CARRIER, ORIGIN, DEST, PLANE, ROUTE, HUB, LINE)

OUTCOMES = Stream("outcomes", "flights", "outcome_known_at", FLYING)
LANDED = Stream(
    "landed",
    "flights",
    "outcome_known_at",
    FLYING,
    (Condition("[arr_delay]", "is", ("NOT NULL",)),),
)
DEPARTED = Stream(
    "departed", "flights", "dep_at", FLYING, (Condition("[dep_at]", "is", ("NOT NULL",)),)
)
WEATHER = Stream("weather", "weather", "available_at", (ORIGIN,))
REGISTER = Stream("register", "planes", "known_from", (PLANE,))
PLACES = Stream("places", "airports", "known_from", (DEST,), (), (("dest", "airport"),))
FLIGHT_STREAMS: Final = (OUTCOMES, LANDED, DEPARTED)

_LATE = {n: Condition("[arr_delay]", ">", (str(n),)) for n in (0, 5, 10, 14, 15, 20, 30, 45, 60)}
_SLOW = {n: Condition("[dep_delay]", ">", (str(n),)) for n in (0, 5, 10, 15, 30, 60)}


def _of(column: str, said: str, other: str, unit: str) -> dict[str, Measure]:
    """Every statistic of one row expression."""
    kinds = {
        "mean": ("mean", "average"), "total": ("total", "sum of"), "max": ("greatest", "maximum"),
        "min": ("least", "minimum"), "median": ("median", "middle"),
        "p90": ("ninth decile of", "90th percentile of"), "std": ("deviation of", "spread of"),
    }  # fmt: skip
    return {
        f"{kind}_{column}": Measure(
            f"{kind}_{column}", kind, (f"{a} {said}", f"{b} {other}"), unit, f"[{column}]"
        )
        for kind, (a, b) in kinds.items()
    }


def _share(name: str, said: str, other: str, when: Condition) -> dict[str, Measure]:
    return {name: Measure(name, "share", (f"share {said}", f"rate of {other}"), "1", "", when)}


def _mean(name: str, said: tuple[str, str], unit: str, of: str, *forms: str) -> dict[str, Measure]:
    """The mean, the maximum and the median of an expression with other spellings."""
    return {
        f"{kind}_{name}": Measure(
            f"{kind}_{name}", kind, (f"{kind} {said[0]}", f"{kind} {said[1]}"), unit, of,
            None, *forms,
        )
        for kind in ("mean", "max", "median", "std")
    }  # fmt: skip


FLIGHT_MEASURES: Final[dict[str, Measure]] = {
    "flights": Measure("flights", "count", ("flights", "number of flights"), "flight"),
    **_of("arr_delay", "arrival delay", "lateness on landing", "minute"),
    **_of("dep_delay", "departure delay", "lateness on leaving", "minute"),
    **_of("air_time", "time in the air", "minutes flown", "minute"),
    **_of("distance", "distance flown", "length of flights", "mile"),
    **{
        k: m
        for n, c in _LATE.items()
        for k, m in _share(
            f"late_{n}_rate", f"over {n} minutes late", f"arrivals {n} minutes late", c
        ).items()
    },
    **{
        k: m
        for n, c in _SLOW.items()
        for k, m in _share(
            f"slow_{n}_rate", f"leaving over {n} minutes late", f"departures {n} late", c
        ).items()
    },
    **_share(
        "cancel_rate", "cancelled", "cancellations", Condition("[cancelled]", "=", ("TRUE",))
    ),
    **_share("divert_rate", "diverted", "diversions", Condition("[diverted]", "=", ("TRUE",))),
    **_share(
        "midday_delay_rate", "5 to 40 minutes late", "slight lateness",
        Condition("[arr_delay]", "between", ("5", "40")),
    ),
    **_share(
        "big_hub_rate", "to the big hubs", "hub traffic",
        Condition("[dest]", "in", ("'ORD'", "'ATL'", "'LAX'", "'DFW'")),
    ),
    **_mean(
        "gained", ("minutes gained in the air", "time made up"), "minute",
        "[dep_delay] - [arr_delay]", "- [arr_delay] + [dep_delay]",
        "-1 * ([arr_delay] - [dep_delay])",
    ),
    **_mean(
        "both_delays", ("delay at both ends", "lateness of leaving and landing"), "minute",
        "[arr_delay] + [dep_delay]", "[dep_delay] + [arr_delay]",
        "[arr_delay] - (0 - [dep_delay])",
    ),
    **_mean(
        "speed", ("speed over ground", "miles an hour"), "mile_per_hour",
        "[distance] * 60.0 / [air_time]", "60.0 * [distance] / [air_time]",
        "[distance] / ([air_time] / 60.0)",
    ),
    "destinations": Measure(
        "destinations", "distinct", ("destinations served", "distinct airports reached"),
        "airport", "[dest]",
    ),
    "planes": Measure(
        "planes", "distinct", ("planes in use", "distinct aircraft"), "plane", "[tailnum]"
    ),
    "numbers": Measure(
        "numbers", "distinct", ("flight numbers", "distinct flight numbers"), "1", "[flight]"
    ),
}  # fmt: skip

SEAT_MEASURES: Final[dict[str, Measure]] = {
    m.name: m
    for m in (
        Measure("mean_seats", "mean", ("mean seats", "average size of plane"), "seat", "[+seats]"),
        Measure("max_seats", "max", ("most seats", "largest plane"), "seat", "[+seats]"),
        Measure("total_seats", "total", ("seats offered", "total seats"), "seat", "[+seats]"),
        Measure(
            "mean_age", "mean", ("mean age of planes", "average years since built"), "year",
            "2013 - [+year_built]", None, "- [+year_built] + 2013", "-1 * ([+year_built] - 2013)",
        ),
    )
}  # fmt: skip

_SKY = {
    "temperature": ("air temperature", "degrees outside", "degree_fahrenheit"),
    "dew_point": ("dew point", "saturation temperature", "degree_fahrenheit"),
    "humidity": ("relative humidity", "dampness of the air", "percent"),
    "wind_speed": ("wind speed", "strength of wind", "mile_per_hour"),
    "wind_gust": ("strongest gust", "gusts", "mile_per_hour"),
    "pressure": ("air pressure", "barometer", "millibar"),
    "visibility": ("visibility", "range of sight", "mile"),
    "precipitation": ("rain and snow", "precipitation", "inch"),
}
SKY_VALUES: Final = {
    name: Measure(name, "value", (a, b), unit, f"[{name}]") for name, (a, b, unit) in _SKY.items()
}
SKY_MEASURES: Final = {
    key: measure
    for name, (a, b, unit) in _SKY.items()
    for key, measure in _of(name, a, b, unit).items()
}
PLANE_VALUES: Final = {
    m.name: m
    for m in (
        Measure("seats", "value", ("seats", "places on board"), "seat", "[seats]"),
        Measure("year_built", "value", ("year built", "year of make"), "year", "[year_built]"),
        Measure("engines", "value", ("engines", "number of engines"), "engine", "[engines]"),
        Measure("model", "value", ("model", "type of aircraft"), "1", "[model]"),
        Measure("manufacturer", "value", ("maker", "who built it"), "1", "[manufacturer]"),
        Measure("engine_type", "value", ("kind of engine", "propulsion"), "1", "[engine_type]"),
        Measure(
            "age", "value", ("age in 2013", "years since built"), "year", "2013 - [year_built]",
            None, "- [year_built] + 2013", "-1 * ([year_built] - 2013)",
        ),
    )
}  # fmt: skip
PLACE_VALUES: Final = {
    m.name: m
    for m in (
        Measure("latitude", "value", ("latitude", "degrees north"), "degree", "[latitude]"),
        Measure("longitude", "value", ("longitude", "degrees east"), "degree", "[longitude]"),
        Measure("elevation", "value", ("height", "feet above the sea"), "foot", "[elevation]"),
    )
}
TEXT: Final = frozenset({"model", "manufacturer", "engine_type"})

CONDITIONS: Final[dict[str, Condition]] = {
    "far": Condition("[distance]", ">", ("1000",), "beyond 1000 miles"),
    "farther": Condition("[distance]", ">", ("1200",), "beyond 1200 miles"),
    "near": Condition("[distance]", "<=", ("500",), "within 500 miles"),
    "middle": Condition("[distance]", "between", ("500", "1500"), "of 500 to 1500 miles"),
    "morning": Condition("hour([sched_dep_at])", "<", ("16",), "leaving before noon"),
    "evening": Condition("hour([sched_dep_at])", ">=", ("21",), "leaving in the evening"),
    "jfk": Condition("[origin]", "=", ("'JFK'",), "from JFK"),
    "not_lga": Condition("[origin]", "in", ("'JFK'", "'EWR'"), "from JFK and Newark"),
    "big_four": Condition("[carrier]", "in", ("'UA'", "'B6'", "'EV'", "'DL'"), "of the big four"),
    "legacy": Condition("[carrier]", "in", ("'UA'", "'DL'", "'AA'", "'US'"), "of legacy carriers"),
    "west": Condition("[dest]", "in", ("'LAX'", "'SFO'", "'SEA'", "'LAS'", "'SAN'"), "to the west"),
    "flown": Condition("[air_time]", ">", ("90",), "over 90 minutes in the air"),
    "low": Condition("[flight]", "<", ("1000",), "with low numbers"),
    "dry": Condition("[humidity]", "<", ("70",), "in dry air"),
    "windy": Condition("[wind_speed]", ">", ("10",), "in wind"),
}
FLIGHT_CONDITIONS: Final = tuple(sorted(set(CONDITIONS) - {"dry", "windy"}))
LARGE = Join("planes", "tailnum", (Condition("[+seats]", ">", ("150",), "with large planes"),))
SMALL = Join("planes", "tailnum", (Condition("[+seats]", "<=", ("60",), "with small planes"),))
ANY_PLANE = Join("planes", "tailnum")

SPANS: Final = (3, 7, 14, 30, 60)
NEIGHBOURS: Final = {3: (2, 4), 7: (6, 8), 14: (12, 15), 30: (28, 31), 60: (56, 63)}
HOURS: Final = (2, 6, 24)
