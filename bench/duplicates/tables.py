"""Tables beside the real ones: copies, copies with other column names, sums of a day. Facts."""

from typing import Final

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
# A column to cut a table in two by, and where.
HALVES: Final = {
    "flights": ("[distance]", "700"),
    "weather": ("[origin]", "'JFK'"),
    "planes": ("[tailnum]", "'N5'"),
}
