"""Rules about words: names, owners, descriptions and units, by which people find features."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from registry.core.definitions import FeatureView, Location, OnDemandView
from registry.core.rules.base import Evidence, Hit, rule

SNAKE_CASE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")


def _named(evidence: Evidence) -> Iterable[tuple[str, str, Location]]:
    """(what, name, location) of everything that has a name."""
    compiled = evidence.compiled
    for entity in compiled.entities.values():
        yield "entity", entity.name, entity.location
    views: list[FeatureView | OnDemandView] = [
        *compiled.views.values(),
        *compiled.on_demand.values(),
    ]
    for view in views:
        yield "view", view.name, view.location
        for feature in view.features:
            yield "feature", f"{view.name}:{feature.name}", feature.location
    for service in compiled.services.values():
        yield "service", service.name, service.location


@rule("owner-missing", "cosmetic", "error", "Somebody must answer for it.")
def owner_missing(evidence: Evidence) -> Iterable[Hit]:
    for feature in evidence.compiled.features.values():
        if not feature.facts.owner:
            yield Hit(
                feature.ref,
                f"{feature.ref} has no owner",
                "add governed(owner='team@...') to the feature or its view",
                feature.location,
            )


@rule("description-missing", "cosmetic", "error", "What is not described is built a second time.")
def description_missing(evidence: Evidence) -> Iterable[Hit]:
    for feature in evidence.compiled.features.values():
        if not feature.facts.description:
            yield Hit(
                feature.ref,
                f"{feature.ref} has no description",
                "say in a sentence what a value of it means",
                feature.location,
            )


@rule("unit-missing", "cosmetic", "warning", "Minutes and hours look alike in a column.")
def unit_missing(evidence: Evidence) -> Iterable[Hit]:
    for feature in evidence.compiled.features.values():
        if not feature.facts.unit:
            yield Hit(
                feature.ref,
                f"{feature.ref} has no unit",
                "add governed(unit='minutes'), or '1' for counts, shares and words",
                feature.location,
            )


@rule("name-convention", "cosmetic", "warning", "One way of writing names makes them guessable.")
def name_convention(evidence: Evidence) -> Iterable[Hit]:
    for what, name, location in _named(evidence):
        if not SNAKE_CASE.match(name.split(":")[-1]):
            yield Hit(
                name,
                f"{what} {name} is not in snake_case",
                "use lower-case words joined by underscores",
                location,
            )


@rule("name-case", "cosmetic", "error", "Two names that differ in case are one to most people.")
def name_case(evidence: Evidence) -> Iterable[Hit]:
    yield from _clashes(evidence, "differ only in case")


@rule(
    "name-confusable",
    "cosmetic",
    "error",
    "Letters of other scripts that look alike hide one feature behind another.",
)
def name_confusable(evidence: Evidence) -> Iterable[Hit]:
    for what, name, location in _named(evidence):
        if not name.isascii():
            odd = sorted({c for c in name if not c.isascii()})
            names = ", ".join(unicodedata.name(c, f"U+{ord(c):04X}") for c in odd)
            yield Hit(
                name,
                f"{what} {name!r} has letters that can be confused: {names}",
                "write names in ASCII",
                location,
            )


def _clashes(evidence: Evidence, how: str) -> Iterable[Hit]:
    groups: dict[tuple[str, str], list[tuple[str, Location]]] = defaultdict(list)
    for what, name, location in _named(evidence):
        groups[what, name.casefold()].append((name, location))
    for (what, _), members in groups.items():
        first, *others = sorted(members, key=lambda m: m[0])
        for name, location in others:
            if name != first[0]:
                yield Hit(
                    name, f"{what}s {first[0]} and {name} {how}", "rename one of them", location
                )
