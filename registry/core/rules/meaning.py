"""Rules about meaning: what a feature is may not change unseen."""

from collections.abc import Iterable

from registry.core.changes import Change
from registry.core.rules.base import Evidence, Hit, rule
from registry.core.state import SERVED_STATES

WIDTH = {"bool": 0, "int32": 1, "int64": 2, "float32": 3, "float64": 4, "string": 5}


def _was_served(change: Change, evidence: Evidence) -> bool:
    known = evidence.newest.get(change.name)
    return known is not None and (known.before_quarantine or known.state) in SERVED_STATES


def _facet(change: Change, name: str) -> tuple[str, str] | None:
    for difference in change.differences:
        if difference.facet == name and difference.before and difference.after:
            return difference.before, difference.after
    return None


@rule(
    "meaning-without-version",
    "meaning",
    "error",
    "A model goes on reading the name while the values become something else.",
)
def meaning_without_version(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "change"):
        if change.acknowledged or not _was_served(change, evidence):
            continue
        what = "; ".join(f"{d.facet}: {d.before} → {d.after}" for d in change.differences)
        yield Hit(
            change.name,
            f"the meaning of {change.name} changed ({what})",
            f"add governed(version={change.version}) to acknowledge it, or take the change back",
            change.location,
            change.readers,
        )


@rule(
    "version-without-change",
    "cosmetic",
    "error",
    "A version that names no new meaning makes readers move for nothing.",
)
def version_without_change(evidence: Evidence) -> Iterable[Hit]:
    changed = {c.name for c in evidence.feature_changes("meaning", "add", "move", "change")}
    for ref, feature in evidence.compiled.features.items():
        known = evidence.newest.get(ref)
        declared = feature.facts.version
        if known is None or declared is None or ref in changed or declared == known.version:
            continue
        yield Hit(
            ref,
            f"{ref} declares version {declared}, its meaning is that of version {known.version}",
            f"write version={known.version} or leave it out",
            feature.location,
        )


@rule(
    "first-version",
    "cosmetic",
    "error",
    "Versions count from 1 without gaps, so that a number says how often the meaning changed.",
)
def first_version(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "add", "move"):
        feature = evidence.compiled.features[change.name]
        if change.version == 1 and not change.acknowledged:
            yield Hit(
                change.name,
                f"{change.name} is new and declares version {feature.facts.version}",
                "write version=1 or leave it out",
                change.location,
            )


@rule(
    "retired-name-reused",
    "meaning",
    "error",
    "A name that meant something else before must say that it starts anew.",
)
def retired_name_reused(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "add", "move"):
        if change.version != 1 and not change.acknowledged:
            yield Hit(
                change.name,
                f"{change.name} was retired before",
                f"add governed(version={change.version}) to bring the name back",
                change.location,
            )


@rule(
    "type-narrowed",
    "serving",
    "error",
    "A narrower type cuts values, or fails on values that were fine before.",
)
def type_narrowed(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "change"):
        types = _facet(change, "type")
        if types is None or not _was_served(change, evidence):
            continue
        before, after = types
        if WIDTH.get(after, 9) < WIDTH.get(before, 9):
            yield Hit(
                change.name,
                f"{change.name} narrows from {before} to {after}",
                f"keep {before}, or publish the narrow one under another name",
                change.location,
                change.readers,
            )


@rule(
    "join-key-changed",
    "serving",
    "error",
    "Every caller that looks the feature up sends the old key.",
)
def join_key_changed(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "change"):
        keys = _facet(change, "join keys")
        if keys is not None and _was_served(change, evidence):
            yield Hit(
                change.name,
                f"{change.name} is now found by {keys[1]}, it was found by {keys[0]}",
                "define a view of its own for the other entity",
                change.location,
                change.readers,
            )


@rule(
    "default-removed",
    "serving",
    "error",
    "Callers that got the default will get null.",
)
def default_removed(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("meaning", "change"):
        gone = [d for d in change.differences if d.facet == "default" and not d.after]
        if gone and _was_served(change, evidence):
            yield Hit(
                change.name,
                f"{change.name} loses its default {gone[0].before}",
                "keep the default, or move its readers first",
                change.location,
                change.readers,
            )
