"""The families of rewriting and of honest registrations, and which are held out of all tuning.

Frozen before any result of the detector on them was looked at. A family moves one way only: once
somebody has read what was missed of it, it is development. Those marked *read* moved so after the
first look; those below *later* were written after it. What a family does is in `spelled.py`,
`reading.py`, `grouped.py` and `windowed.py` (duplicates), `near.py`, `honest.py` and `derived.py`.
"""

from typing import Final

DEVELOPMENT: Final = "development"
HELD_OUT: Final = "held out"

# The same rows by another text.
DUPLICATES: Final[dict[str, str]] = {
    "rename": DEVELOPMENT,
    "alias": DEVELOPMENT,
    "reformat": DEVELOPMENT,
    "commute": DEVELOPMENT,
    "subquery_for_cte": DEVELOPMENT,
    "filter_clause": DEVELOPMENT,
    "inline_window": DEVELOPMENT,
    "between": DEVELOPMENT,
    "or_for_in": DEVELOPMENT,
    "constant_sum": DEVELOPMENT,
    "group_by_position": DEVELOPMENT,
    "copied_table": DEVELOPMENT,
    "python": DEVELOPMENT,
    "passed_through": HELD_OUT,
    "case_for_coalesce": DEVELOPMENT,  # read
    "join_order": HELD_OUT,
    "semi_join": HELD_OUT,
    "sum_by_count": HELD_OUT,
    "interval_in_hours": HELD_OUT,
    "negation": HELD_OUT,
    "union_of_halves": HELD_OUT,
    "self_join": HELD_OUT,
    "date_functions": HELD_OUT,
    "arithmetic": HELD_OUT,
    "count_of_case": HELD_OUT,
    "renamed_table": HELD_OUT,
    "summed_table": HELD_OUT,
    "pandas": DEVELOPMENT,  # read
    # later
    "count_if": HELD_OUT,
    "cast_condition": HELD_OUT,
    "group_by_all": HELD_OUT,
    "cast_to_date": HELD_OUT,
    "text_dates": HELD_OUT,
    "comma_join": HELD_OUT,
    "left_join_filtered": HELD_OUT,
    "exists": HELD_OUT,
    "having_for_where": HELD_OUT,
    "window_for_group": HELD_OUT,
    "two_levels": HELD_OUT,
    "correlated_subquery": HELD_OUT,
    "lateral_alias": HELD_OUT,
    "python_loop": HELD_OUT,
}

# The same facts in another unit, type, rounding, fill or at another time.
NEAR: Final[dict[str, str]] = {
    "scaled": DEVELOPMENT,
    "cast_real": DEVELOPMENT,
    "rounded": DEVELOPMENT,
    "zero_for_null": DEVELOPMENT,
    "day_later": DEVELOPMENT,
    "scaled_in_python": DEVELOPMENT,
    "offset_and_scaled": DEVELOPMENT,  # read
    "distance_unit": HELD_OUT,
    "cast_text": DEVELOPMENT,  # read
    "cast_whole": HELD_OUT,
    "floored": HELD_OUT,
    "sentinel_for_null": HELD_OUT,
    "week_later": DEVELOPMENT,  # read
    "hours_later": DEVELOPMENT,  # read
    "complement": HELD_OUT,
    "sign": HELD_OUT,
    "recoded": HELD_OUT,
    "scaled_and_rounded": HELD_OUT,
    # later
    "rounded_to_five": HELD_OUT,
    "logarithm": HELD_OUT,
    "three_days_later": HELD_OUT,
    "fortnight_later": HELD_OUT,
    "minus_one_for_null": HELD_OUT,
    "cast_decimal": HELD_OUT,
    "formatted_text": HELD_OUT,
    "scaled_and_filled": HELD_OUT,
    "offset_scaled_rounded": HELD_OUT,
    "pandas_scaled": HELD_OUT,
}

# What is not a copy, however alike it looks.
HONEST: Final[dict[str, str]] = {
    "other_window": DEVELOPMENT,
    "other_statistic": DEVELOPMENT,
    "other_filter": DEVELOPMENT,
    "other_entity": DEVELOPMENT,
    "constant": DEVELOPMENT,
    "calendar": DEVELOPMENT,
    "unrelated": DEVELOPMENT,
    "other_label": HELD_OUT,
    "same_name": HELD_OUT,
    "correlated": HELD_OUT,
    "counter": DEVELOPMENT,  # read
    "like_rate": HELD_OUT,
    "mostly_null": HELD_OUT,
    "other_two": HELD_OUT,
    # later
    "change": HELD_OUT,
    "against_all": HELD_OUT,
    "smoothed": HELD_OUT,
    "least_lately": HELD_OUT,
}

LABELS: Final = {
    **dict.fromkeys(DUPLICATES, "duplicate"),
    **dict.fromkeys(NEAR, "near"),
    **dict.fromkeys(HONEST, "honest"),
}
SPLITS: Final = {**DUPLICATES, **NEAR, **HONEST}


def held_out(family: str) -> bool:
    """Whether results of this family may be reported and never tuned on."""
    return SPLITS[family] == HELD_OUT
