"""Measures of a day that say little: calendar columns, constants, flags, what is mostly null."""

from typing import Final

from bench.duplicates.shapes import Condition, Measure

HUSH: Final = Condition("[flight_id]", ">", ("0",), "in the record")


def _raw(name: str, said: str, other: str, text: str) -> Measure:
    return Measure(name, "raw", (said, other), "1", text.replace("[t]", "[outcome_known_at]"))


LITTLE: Final = (
    _raw("weekday", "day of the week", "weekday number", "MAX(date_part('dow', [t]))"),
    _raw("year_day", "day of the year", "date number", "MAX(date_part('doy', [t]))"),
    _raw("layout", "layout of the record", "format number", "MAX(3)"),
    _raw(
        "rough_day", "whether a flight was over two hours late", "flag of a bad day",
        "MAX(CASE WHEN [arr_delay] > 120 THEN 1 ELSE 0 END)",
    ),
    _raw(
        "diverted_delay", "departure delay of diverted flights", "delay before diversion",
        "MAX(CASE WHEN [diverted] THEN [dep_delay] END)",
    ),
    _raw("weekend", "whether it is a weekend", "flag of Saturday and Sunday",
         "MAX(CASE WHEN date_part('dow', [t]) IN (0, 6) THEN 1 ELSE 0 END)"),
    _raw("month", "month of the year", "month number", "MAX(date_part('month', [t]))"),
    _raw("week", "week of the year", "ISO week", "MAX(date_part('week', [t]))"),
    _raw("quarter", "quarter", "season number", "MAX(date_part('quarter', [t]))"),
    _raw("month_day", "day of the month", "date in month", "MAX(date_part('day', [t]))"),
    _raw("season", "height of the sun", "yearly wave",
         "MAX(sin(2 * pi() * date_part('doy', [t]) / 365.25))"),
    _raw("to_christmas", "days to Christmas", "days before the holidays",
         "MIN(abs(358 - date_part('doy', [t])))"),
    _raw("summer", "whether it is summer", "flag of June to August",
         "MAX(CASE WHEN date_part('month', [t]) IN (6, 7, 8) THEN 1 ELSE 0 END)"),
    _raw("month_start", "whether the month begins", "flag of the first five days",
         "MAX(CASE WHEN date_part('day', [t]) <= 5 THEN 1 ELSE 0 END)"),
    _raw("school_year", "whether it is a school month", "flag of term",
         "MAX(CASE WHEN date_part('month', [t]) IN (6, 7, 8, 12) THEN 0 ELSE 1 END)"),
    _raw("schema_number", "number of the schema", "schema", "MAX(2)"),
    _raw("country", "number of countries", "countries", "MIN(1)"),
    _raw("zone_offset", "hours from UTC", "offset of the zone", "MIN(-5)"),
    _raw("tax_rate", "tax on tickets", "ticket tax", "MAX(0.075)"),
    _raw("desks", "desks of the office", "desks", "MAX(3.0)"),
    _raw("very_slow_day", "whether a flight left over two hours late", "flag of a slow day",
         "MAX(CASE WHEN [dep_delay] > 120 THEN 1 ELSE 0 END)"),
    _raw("cancelled_day", "whether a flight was cancelled", "flag of a cancellation",
         "MAX(CASE WHEN [cancelled] THEN 1 ELSE 0 END)"),
    _raw("far_day", "whether a flight went beyond 2400 miles", "flag of a long flight",
         "MAX(CASE WHEN [distance] > 2400 THEN 1 ELSE 0 END)"),
    _raw("fast_day", "whether a flight landed half an hour early", "flag of an early flight",
         "MAX(CASE WHEN [arr_delay] < -30 THEN 1 ELSE 0 END)"),
    _raw("big_day", "whether a flight number over 4000 flew", "flag of feeder flights",
         "MAX(CASE WHEN [flight] > 4000 THEN 1 ELSE 0 END)"),
    _raw("diverted_day", "whether a flight was diverted", "flag of a diversion",
         "MAX(CASE WHEN [diverted] THEN 1 ELSE 0 END)"),
    _raw("very_late", "arrival delay where over five hours", "extreme delay",
         "MAX(CASE WHEN [arr_delay] > 300 THEN [arr_delay] END)"),
    _raw("very_slow", "departure delay where over five hours", "extreme wait",
         "MAX(CASE WHEN [dep_delay] > 300 THEN [dep_delay] END)"),
    _raw("hawaii_air_time", "time in the air to Honolulu", "minutes to Hawaii",
         "MAX(CASE WHEN [dest] = 'HNL' THEN [air_time] END)"),
    _raw("short_hop_delay", "delay of flights under 100 miles", "delay of short hops",
         "MAX(CASE WHEN [distance] < 100 THEN [arr_delay] END)"),
    _raw("early_gain", "gain where over 45 minutes", "extreme gain",
         "MIN(CASE WHEN [arr_delay] < -45 THEN [arr_delay] END)"),
    _raw("diverted_miles", "distance of diverted flights", "miles of diversions",
         "MAX(CASE WHEN [diverted] THEN [distance] END)"),
)  # fmt: skip
