"""Rules about deprecation: what must be said, and who reads what is going, all the way down."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from registry.core.compiled import CompiledFeature
from registry.core.readers import Reader
from registry.core.rules.base import Evidence, Hit, rule
from registry.core.rules.lifecycle import leaves
from registry.core.rules.services import newly_named
from registry.kernel.clock import format_instant

MOST_NAMED = 5


def _deprecated(evidence: Evidence) -> Iterable[CompiledFeature]:
    return (f for f in evidence.compiled.features.values() if f.facts.state == "deprecated")


@rule(
    "deprecated-without-sunset",
    "serving",
    "error",
    "Without a date nobody moves.",
)
def deprecated_without_sunset(evidence: Evidence) -> Iterable[Hit]:
    for feature in _deprecated(evidence):
        if feature.facts.sunset is None:
            yield Hit(
                feature.ref,
                f"{feature.ref} is deprecated without a sunset",
                "add governed(sunset=...), an instant with its time zone",
                feature.location,
            )


@rule(
    "deprecated-without-replacement",
    "serving",
    "error",
    "A reader must learn what to use instead, or why there is nothing.",
)
def deprecated_without_replacement(evidence: Evidence) -> Iterable[Hit]:
    for feature in _deprecated(evidence):
        if not feature.facts.replaced_by and not feature.facts.reason:
            yield Hit(
                feature.ref,
                f"{feature.ref} is deprecated without a replacement or a reason",
                "add governed(replaced_by='view:feature') or governed(reason='...')",
                feature.location,
            )


@rule(
    "replacement-unknown",
    "cosmetic",
    "error",
    "A replacement that does not exist sends readers nowhere.",
)
def replacement_unknown(evidence: Evidence) -> Iterable[Hit]:
    for feature in evidence.compiled.features.values():
        wanted = feature.facts.replaced_by
        if not wanted or "/" in wanted:
            continue
        short = wanted.split("@")[0]
        if short not in evidence.compiled.features:
            yield Hit(
                feature.ref,
                f"{feature.ref} is replaced by {wanted}, which does not exist",
                "name a feature of this repository, or namespace/view:feature",
                feature.location,
            )


@rule(
    "sunset-order",
    "serving",
    "error",
    "What is computed from a feature cannot outlive it.",
)
def sunset_order(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.on_demand.values():
        for feature in view.features:
            below = evidence.compiled.features[f"{view.name}:{feature.name}"]
            for ref in view.inputs:
                above = evidence.compiled.features.get(ref)
                if above is not None and _outlives(below.facts.sunset, above.facts.sunset):
                    yield Hit(
                        below.ref,
                        f"{below.ref} is computed from {ref}, whose sunset comes first",
                        "give it a sunset no later, or compute it from something else",
                        below.location,
                    )


def _outlives(below: datetime | None, above: datetime | None) -> bool:
    return above is not None and (below is None or below > above)


@rule(
    "sunset-readers",
    "serving",
    "warning",
    "Whoever reads it, or what is computed from it, must have moved by then.",
)
def sunset_readers(evidence: Evidence) -> Iterable[Hit]:
    for feature in _deprecated(evidence):
        sunset, readers = feature.facts.sunset, readers_below(feature.ref, evidence)
        if sunset is not None and sunset > evidence.now and readers:
            yield Hit(
                feature.ref,
                f"{feature.ref} goes at {format_instant(sunset)} and is read by {_named(readers)}",
                _onward(feature),
                feature.location,
                readers,
            )


@rule(
    "sunset-passed",
    "serving",
    "warning",
    "A date that nobody keeps to tells the next reader that dates mean nothing.",
)
def sunset_passed(evidence: Evidence) -> Iterable[Hit]:
    for feature in _deprecated(evidence):
        sunset = feature.facts.sunset
        if sunset is None or sunset > evidence.now or feature.ref not in evidence.newest:
            continue
        readers = readers_below(feature.ref, evidence)
        still = f"is still read by {_named(readers)}" if readers else "is read by nothing any more"
        hint = _onward(feature) if readers else "remove it"
        message = f"the sunset of {feature.ref} was {format_instant(sunset)}, and it {still}"
        yield Hit(feature.ref, message, hint, feature.location, readers)


@rule(
    "sunset-in-the-past",
    "serving",
    "error",
    "Readers must have time to move.",
)
def sunset_in_the_past(evidence: Evidence) -> Iterable[Hit]:
    touched = {
        change.name
        for aspect in ("state", "text")
        for change in evidence.feature_changes(aspect, "change")
        if any(d.facet in ("sunset", "state") for d in change.differences)
    }
    for feature in _deprecated(evidence):
        sunset, readers = feature.facts.sunset, readers_below(feature.ref, evidence)
        if feature.ref in touched and sunset is not None and sunset < evidence.now and readers:
            yield Hit(
                feature.ref,
                f"{feature.ref} is to go at {format_instant(sunset)}, which is past, and is read "
                f"by {_named(readers)}",
                "give it a later sunset",
                feature.location,
                readers,
            )


@rule(
    "service-adds-deprecated",
    "serving",
    "error",
    "Nobody new should begin to read what is going.",
)
def service_adds_deprecated(evidence: Evidence) -> Iterable[Hit]:
    return newly_named(evidence, "deprecated", "name its replacement, or waive this with a reason")


def readers_below(ref: str, evidence: Evidence) -> tuple[Reader, ...]:
    """Who reads any version of a feature, or of what is computed from it, but for quiet
    callers and services that this plan makes leave."""
    below = set(_computed_from(ref, evidence))
    found = {
        reader
        for record in evidence.state.features.values()
        if record.live and record.short_ref in below
        for reader in evidence.readers.get(record.ref, ())
        if not reader.quiet(evidence.now) and not leaves(reader, record.ref, evidence)
    }
    return tuple(sorted(found))


def _computed_from(ref: str, evidence: Evidence) -> Iterator[str]:
    """The feature itself and all that is computed from it, from views further on too."""
    known, waiting = {ref}, [ref]
    while waiting:
        above = waiting.pop()
        yield above
        for view in evidence.compiled.on_demand.values():
            if above in view.inputs:
                made = {f"{view.name}:{feature.name}" for feature in view.features} - known
                known |= made
                waiting += sorted(made)


def _named(readers: tuple[Reader, ...]) -> str:
    """Readers with who answers for them."""
    said = [f"{r} ({r.owner})" if r.owner else str(r) for r in readers[:MOST_NAMED]]
    more = len(readers) - MOST_NAMED
    return ", ".join([*said, *([f"{more} more"] if more > 0 else [])])


def _onward(feature: CompiledFeature) -> str:
    onto = feature.facts.replaced_by
    return f"move them to {onto}" if onto else "move them, or give it a later sunset"
