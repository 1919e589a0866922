"""Honest features made of registered ones: their change, their distance from the mean, smoothed.

They share most of a definition, and much of a course, with what they are made of.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.duplicates.shapes import Item, View, described, item_name
from bench.duplicates.vocabulary import TEXT

A_FAMILY: Final = 45
A_VIEW: Final = 8
_LATELY: Final = (
    "OVER (PARTITION BY {keys} ORDER BY known_at ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)"
)
_WAYS: Final[Mapping[str, tuple[str, str]]] = {
    "change": ("{x} - LAG({x}) OVER (PARTITION BY {keys} ORDER BY known_at)", "Change of the"),
    "against_all": ("{x} - AVG({x}) OVER (PARTITION BY known_at)", "Distance from the mean of the"),
    "smoothed": (f"AVG({{x}}) {_LATELY}", "Smoothed"),
    "least_lately": (f"MIN({{x}}) {_LATELY}", "Least of the last four of the"),
}
_CALENDAR: Final = ("day", "week", "month", "rolling")


@dataclass(frozen=True, slots=True)
class Derived:
    """One feature made of the registered `item`; some bear that one's name."""

    name: str
    family: str
    item: Item
    of: str
    description: str


@dataclass(frozen=True, slots=True)
class DerivedView:
    """Features made of those of the registered view named `known`."""

    known: str
    view: View
    features: tuple[Derived, ...]

    def query(self, inner: str) -> str:
        """The SQL over the registered view's own."""
        keys = ", ".join(self.view.entity)
        made = [
            f"{_WAYS[d.family][0].format(x=f'made.{d.of}', keys=keys)} AS {d.name}"
            for d in self.features
        ]
        return f"SELECT {keys}, known_at, {', '.join(made)} FROM ({inner}) AS made"


def derived_views(known: Sequence[tuple[str, View]]) -> Iterator[DerivedView]:
    """The same at each call: `A_FAMILY` features of each way, grouped by what they are made of."""
    chosen: dict[str, list[Derived]] = {}
    for family in _WAYS:
        chance = random.Random(f"2013 {family}")
        options = [
            (n, v, i) for n, v in known if v.horizon in _CALENDAR for i in v.items if _fits(i)
        ]
        for name, view, item in chance.sample(options, A_FAMILY):
            chosen.setdefault(name, []).append(_derived(family, view, item, chance))
    views = dict(known)
    for name, features in chosen.items():
        for group in _apart(features):
            yield DerivedView(name, views[name], group)


def _fits(item: Item) -> bool:
    return item.measure.name not in TEXT and item.measure.kind != "raw"


def _derived(family: str, view: View, item: Item, chance: random.Random) -> Derived:
    plain = item_name(view, item)
    name = plain if chance.random() < 0.4 else f"{family}_{plain}"
    said = f"{_WAYS[family][1]} {described(view, item, 1).lower()}"
    return Derived(name, family, item, plain, said)


def _apart(features: Sequence[Derived]) -> Iterator[tuple[Derived, ...]]:
    """In groups of `A_VIEW` at most, no name twice in one."""
    groups: list[dict[str, Derived]] = []
    for feature in features:
        free = (g for g in groups if feature.name not in g and len(g) < A_VIEW)
        group = next(free, None)
        if group is None:
            groups.append(group := {})
        group[feature.name] = feature
    return (tuple(group.values()) for group in groups)
