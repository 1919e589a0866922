"""Honest registrations: features that nobody has yet, most of them much like one that exists.

Each is named after how it differs from the registered feature that it is nearest to. Whether its
values differ as well is found out in `truth.py`, which drops those that do not.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.duplicates import vocabulary as words
from bench.duplicates.little import HUSH, LITTLE
from bench.duplicates.registered import WINDOWED_KINDS
from bench.duplicates.shapes import Condition, Item, Measure, View, item_name
from bench.duplicates.vocabulary import (
    CONDITIONS,
    FLIGHT_CONDITIONS,
    FLIGHT_MEASURES,
    HOURS,
    NEIGHBOURS,
    SEAT_MEASURES,
    SKY_MEASURES,
    SPANS,
)

QUOTAS: Final[Mapping[str, int]] = {
    "other_window": 480, "other_statistic": 480, "other_filter": 560, "other_entity": 320,
    "other_label": 200, "same_name": 260, "correlated": 120, "like_rate": 260, "mostly_null": 200,
    "counter": 200, "calendar": 90, "constant": 40, "other_two": 420, "unrelated": 420,
}  # fmt: skip
A_VIEW: Final = 8
_GRIDDED: Final = (
    "other_window", "other_statistic", "other_filter", "other_entity", "other_label", "other_two",
    "unrelated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Honest:
    """A view of honest features; `families` by item name, `finish` as in `Style`, `names` given."""

    view: View
    families: Mapping[str, str]
    finish: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def honest_views(known: Sequence[View], seed: int = 7) -> Iterator[Honest]:
    """Views until every quota is met, the same at each call."""
    chance = random.Random(seed)
    left = dict(QUOTAS)
    kin = _Kin(known)
    seen = {(view.frame, item) for view in known for item in view.items}
    for frame in _frames(known, chance):
        if all(left[family] <= 0 for family in _GRIDDED):
            break
        pool = [item for item in _pool(frame, chance) if (frame.frame, item) not in seen]
        chosen = _choose(frame, pool, kin, left, chance)
        if len(chosen) < 3:
            continue
        items = [item for item, _ in chosen]
        seen.update((frame.frame, item) for item in items)
        view = replace(frame, items=tuple(items))
        families = {item_name(view, item): family for item, family in chosen}
        yield from _named(view, families, known, left, chance)
    yield from _guarded(left, chance)


def _frames(known: Sequence[View], chance: random.Random) -> Iterator[View]:
    """Views without items to fill: those that exist, and ones that differ in one or two things."""
    flying = [
        view for view in known if view.stream.table == "flights" and HUSH not in view.conditions
    ]
    plain = [view for view in known if view.stream.table == "weather" and view.horizon != "row"]
    for view in [*flying, *plain]:
        yield from [view] * 2
    for _ in range(60):
        for view in flying:
            yield _mutated(view, chance)
        for view in plain[:2]:
            yield _mutated(view, chance)


def _mutated(view: View, chance: random.Random) -> View:
    weather = view.stream.table == "weather"
    for change in chance.sample(
        ("conditions", "entity", "stream", "horizon"), chance.choice((1, 1, 2))
    ):
        if change == "conditions":
            names = ("dry", "windy") if weather else FLIGHT_CONDITIONS
            fits = [c for n in names if not _fixes(view.entity, c := CONDITIONS[n])]
            view = replace(view, conditions=tuple(chance.sample(fits, chance.choice((0, 1, 1, 2)))))
        elif change == "entity" and not weather:
            entity = chance.choice(words.FLYING)
            kept = tuple(c for c in view.conditions if not _fixes(entity, c))
            view = replace(view, entity=entity, conditions=kept)
        elif change == "stream" and not weather:
            view = replace(view, stream=chance.choice(words.FLIGHT_STREAMS))
        elif change == "horizon":
            choices = ("day", "week", "month", "rolling", "rolling")
            view = replace(view, horizon=chance.choice(choices))
    return view


def _fixes(entity: Sequence[str], condition: Condition) -> bool:
    return any(f"[{key}]" in condition.left for key in entity)


def _pool(view: View, chance: random.Random) -> list[Item]:
    """Items that the view could hold, in an order of chance."""
    measures = SKY_MEASURES if view.stream.table == "weather" else dict(FLIGHT_MEASURES)
    if view.join is not None:
        measures = {**measures, **SEAT_MEASURES}
    windowed = view.horizon in ("rolling", "hours", "so_far")
    fitting = [m for m in measures.values() if not windowed or m.kind in WINDOWED_KINDS]
    if view.stream.name != "outcomes":
        fitting = [m for m in fitting if m.name not in ("cancel_rate", "divert_rate")]
    near = [n for span in SPANS for n in NEIGHBOURS[span]]
    spans = {"rolling": (*SPANS, *near), "hours": (*HOURS, 3, 12)}.get(view.horizon, (0,))
    # Views share their spans, as people write them; and queries stay short.
    chosen = chance.sample(spans, min(3, len(spans)))
    pool = [Item(measure, span) for measure in fitting for span in chosen]
    chance.shuffle(pool)
    return pool[:60]


def _choose(
    view: View, pool: Sequence[Item], kin: "_Kin", left: dict[str, int], chance: random.Random
) -> list[tuple[Item, str]]:
    """Up to `A_VIEW` items whose family's quota is not met, the rarer families first."""
    told = kin.families(view, pool)
    wanted = sorted(
        ((item, family) for item, family in told if left.get(family, 0) > 0),
        key=lambda pair: (pair[1] == "unrelated", -left[pair[1]]),
    )
    chosen = wanted[:A_VIEW]
    for _, family in chosen:
        left[family] -= 1
    return chosen


def _named(
    view: View, families: Mapping[str, str], known: Sequence[View], left: dict[str, int],
    chance: random.Random,
) -> Iterator[Honest]:  # fmt: skip
    """The view, some with the names of a registered view's features."""
    if left["same_name"] <= 0 or chance.random() > 0.25:
        yield Honest(view, families)
        return
    others = [v for v in known if v.entity == view.entity and v.frame != view.frame]
    taken = [item_name(v, i) for v in others for i in v.items]
    names = dict(zip(families, chance.sample(taken, min(len(taken), len(families))), strict=False))
    names = {mine: theirs for mine, theirs in names.items() if mine != theirs}
    left["same_name"] -= len(names)
    yield Honest(
        view, {n: "same_name" if n in names else f for n, f in families.items()}, {}, names
    )


def _guarded(left: dict[str, int], chance: random.Random) -> Iterator[Honest]:
    """What says little: flags, mostly nothing, counters, calendar columns, constants."""
    little = {measure.name: measure for measure in LITTLE[6:]}
    groups = {"calendar": CALENDAR, "constant": CONSTANTS, "like_rate": FLAGS, "mostly_null": RARE}
    for entity in words.FLYING:
        for family, names in groups.items():
            items = tuple(Item(little[name]) for name in names)
            left[family] -= len(items)
            view = View(entity, words.OUTCOMES, "day", items, (HUSH,))
            yield Honest(view, {item_name(view, item): family for item in items})
    yield from _wrapped("like_rate", left, chance)
    yield from _wrapped("mostly_null", left, chance)
    yield from _counters(left, chance)


def _wrapped(family: str, left: dict[str, int], chance: random.Random) -> Iterator[Honest]:
    """Flags of a measure above a bound, or the measure only where it is extreme."""
    template = {
        "like_rate": "CASE WHEN ({{}}) > {} THEN 1 ELSE 0 END",
        "mostly_null": "CASE WHEN ({{}}) > {} THEN ({{0}}) END".replace("{{}}", "{{0}}"),
    }[family]
    bounds = _FLAG_BOUNDS if family == "like_rate" else _RARE_BOUNDS
    tried: set[object] = set()
    while left[family] > 0 and len(tried) < 2000:
        entity, horizon = chance.choice(words.FLYING), chance.choice(("day", "rolling"))
        name = chance.choice(FLIGHT_CONDITIONS[:6])
        conditions = () if _fixes(entity, CONDITIONS[name]) else (CONDITIONS[name],)
        tried.add((entity, horizon, conditions, len(tried)))
        span = chance.choice(SPANS) if horizon == "rolling" else 0
        items = tuple(Item(FLIGHT_MEASURES[m], span) for m in chance.sample(sorted(bounds), 4))
        view = View(entity, words.LANDED, horizon, items, conditions)
        finish = {item_name(view, i): template.format(bounds[i.measure.name]) for i in items}
        names = {old: f"{'high' if family == 'like_rate' else 'extreme'}_{old}" for old in finish}
        left[family] -= len(items)
        yield Honest(view, dict.fromkeys(finish, family), finish, names)


def _counters(left: dict[str, int], chance: random.Random) -> Iterator[Honest]:
    names = ("flights", "total_distance", "total_air_time", "total_arr_delay", "total_dep_delay")
    frames = [(e, s, c) for e in words.FLYING for s in words.FLIGHT_STREAMS
              for c in (*FLIGHT_CONDITIONS[:7], "")]  # fmt: skip
    chance.shuffle(frames)
    for entity, stream, name in frames:
        if left["counter"] <= 0:
            return
        conditions = (CONDITIONS[name],) if name else ()
        if any(_fixes(entity, c) for c in conditions) or (
            not conditions and stream.name == "outcomes"
        ):
            continue
        items = tuple(Item(FLIGHT_MEASURES[n]) for n in names)
        left["counter"] -= len(items)
        view = View(entity, stream, "so_far", items, conditions)
        yield Honest(view, {item_name(view, item): "counter" for item in items})


CALENDAR = ("month", "week", "quarter", "month_day", "season", "to_christmas", "summer",
            "month_start", "school_year")  # fmt: skip
CONSTANTS = ("schema_number", "country", "zone_offset", "tax_rate", "desks")
FLAGS = ("very_slow_day", "cancelled_day", "far_day", "fast_day", "big_day", "diverted_day")
RARE = ("very_late", "very_slow", "hawaii_air_time", "short_hop_delay", "early_gain",
        "diverted_miles")  # fmt: skip
_FLAG_BOUNDS = {
    "mean_arr_delay": 10, "mean_dep_delay": 12, "late_15_rate": 0.25, "slow_15_rate": 0.25,
    "flights": 10, "max_arr_delay": 60, "mean_speed": 400, "mean_air_time": 150,
    "mean_distance": 1000, "late_30_rate": 0.15, "total_distance": 10000,
}  # fmt: skip
_RARE_BOUNDS = {
    "mean_arr_delay": 60, "mean_dep_delay": 65, "late_15_rate": 0.75, "slow_15_rate": 0.75,
    "max_arr_delay": 240, "max_dep_delay": 240, "mean_speed": 470, "mean_air_time": 330,
    "late_30_rate": 0.6, "mean_gained": 25,
}  # fmt: skip


class _Kin:
    """Says how a candidate differs from the registered feature that it is nearest to."""

    def __init__(self, known: Sequence[View]) -> None:
        self.known = known

    def families(self, view: View, pool: Sequence[Item]) -> list[tuple[Item, str]]:
        """The family of each item, were it an item of the view."""
        framed = sorted(
            ((_frame_differences(view, k), k) for k in self.known), key=lambda pair: len(pair[0])
        )
        return [(item, _family(_nearest(view, item, framed))) for item in pool]


def _nearest(view: View, item: Item, framed: Sequence[tuple[list[str], View]]) -> list[str]:
    best = ["unlike"] * 9
    for differences, known in framed:
        if len(differences) >= min(len(best), 3):
            break
        for other in known.items:
            found = differences + _item_differences(view, item, known, other)
            best = min(best, found, key=len)
    return best


def _family(differences: Sequence[str]) -> str:
    if len(differences) == 1 and differences != ["unlike"]:
        return differences[0]
    return "other_two" if len(differences) == 2 and "unlike" not in differences else "unrelated"


def _frame_differences(view: View, known: View) -> list[str]:
    mine = (view.conditions, view.join, view.stream.name)
    theirs = (known.conditions, known.join, known.stream.name)
    named = (("other_entity", view.entity != known.entity), ("other_filter", mine != theirs))
    return [name for name, differs in named if differs]


def _item_differences(view: View, item: Item, known: View, other: Item) -> list[str]:
    same = (view.horizon, item.span) == (known.horizon, other.span)
    found = [] if same else ["other_window"]
    return found + _measure_difference(item.measure, other.measure)


def _measure_difference(one: Measure, other: Measure) -> list[str]:
    if one == other:
        return []
    if one.kind == other.kind == "share":
        assert one.when is not None
        assert other.when is not None
        if one.when.left == other.when.left:
            return ["other_filter"]
        ends = {one.when.left, other.when.left}
        return ["other_label"] if ends == {"[arr_delay]", "[dep_delay]"} else ["unlike", "unlike"]
    if one.of == other.of and one.of:
        return ["other_statistic"]
    if one.kind != other.kind:
        return ["unlike", "unlike"]
    pair = {one.of, other.of}
    if pair == {"[arr_delay]", "[dep_delay]"}:
        return ["other_label"]
    return ["correlated"] if any(pair <= kin for kin in _CORRELATED) else ["unlike", "unlike"]


_CORRELATED: Final = (
    {"[distance]", "[air_time]", "[distance] * 60.0 / [air_time]"},
    {"[arr_delay]", "[dep_delay]", "[arr_delay] + [dep_delay]"},
    {"[temperature]", "[dew_point]", "[humidity]"},
    {"[wind_speed]", "[wind_gust]"},
    {"[dest]", "[tailnum]", "[flight]"},
)
