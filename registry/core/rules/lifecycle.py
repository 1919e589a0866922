"""Rules about states: what may be used, left and taken away, and when."""

from collections.abc import Iterable

from registry.core.evidence import missing
from registry.core.lifecycle import allowed, move_of
from registry.core.moves import past_names
from registry.core.readers import Reader
from registry.core.rules.base import Evidence, Hit, rule
from registry.kernel.refs import parse_ref


@rule(
    "removed-while-read",
    "serving",
    "error",
    "What reads it breaks the moment it is gone.",
)
def removed_while_read(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("state", "remove"):
        readers = tuple(
            reader
            for reader in change.readers
            if not reader.quiet(evidence.now) and not leaves(reader, change.name, evidence)
        )
        if readers:
            yield Hit(
                change.name,
                f"{change.name} is removed while something reads it",
                "move its readers first; to remove it all the same takes a waiver with a reason",
                readers=readers,
            )


def leaves(reader: Reader, ref: str, evidence: Evidence) -> bool:
    """Whether it is a service that this plan changes or removes so that it no longer reads."""
    touched = any(
        (change.object, change.name) == (reader.kind, reader.name)
        for change in evidence.plan.changes
    )
    if not touched:
        return False
    definition = evidence.compiled.services.get(reader.name)
    short = ref.split("@")[0]
    return definition is None or all(
        f"{parsed.view}:{parsed.feature}" != short for parsed in map(parse_ref, definition.refs)
    )


@rule(
    "removed-from-production",
    "serving",
    "error",
    "Readers that nobody knows of get a warning time: deprecation comes before retirement.",
)
def removed_from_production(evidence: Evidence) -> Iterable[Hit]:
    moved = set(past_names(evidence.compiled).values())
    for change in evidence.feature_changes("state", "remove"):
        record = evidence.state.features[change.name]
        if f"{evidence.state.namespace}/{record.short_ref}" in moved:
            continue  # its name answers with the new one
        if not allowed(record.before_quarantine or record.state, "retired", "apply"):
            yield Hit(
                change.name,
                f"{change.name} is removed while it is in {record.state}",
                "deprecate it first: governed(state='deprecated', sunset=..., replaced_by=...)",
                readers=change.readers,
            )


@rule(
    "renamed-while-read",
    "serving",
    "error",
    "A rename is a removal to those who read the old name.",
)
def renamed_while_read(evidence: Evidence) -> Iterable[Hit]:
    added = {
        evidence.compiled.features[c.name].definition_key: c
        for c in evidence.feature_changes("meaning", "add")
    }
    for change in evidence.feature_changes("state", "remove"):
        record = evidence.state.features[change.name]
        successor = added.get(record.definition_key)
        if successor is not None and change.readers:
            yield Hit(
                change.name,
                f"{change.name} is renamed to {successor.name} while something reads it",
                f"keep it, deprecated, with replaced_by={successor.name!r}",
                successor.location,
                change.readers,
            )


@rule(
    "online-ended",
    "serving",
    "error",
    "Lookups of its features fail as soon as its rows are no longer written.",
)
def online_ended(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.plan.changes:
        ended = [d for d in change.differences if d.facet == "online" and d.after == "false"]
        if change.object == "view" and change.action == "change" and ended:
            readers = _readers_of_view(change.name, evidence)
            if readers:
                yield Hit(
                    change.name,
                    f"view {change.name} goes offline while something reads it",
                    "leave online=True, or move its readers first",
                    change.location,
                    readers,
                )


def _readers_of_view(view: str, evidence: Evidence) -> tuple[Reader, ...]:
    refs = [r.ref for r in evidence.state.features.values() if r.view == view and r.live]
    reading = {(ref, reader) for ref in refs for reader in evidence.readers.get(ref, ())}
    return tuple(
        sorted(
            {r for ref, r in reading if not r.quiet(evidence.now) and not leaves(r, ref, evidence)}
        )
    )


@rule(
    "state-move",
    "serving",
    "error",
    "The lifecycle has no such move.",
)
def state_move(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("state", "change"):
        (difference,) = change.differences
        before, after = difference.before or "", difference.after or ""
        if not allowed(before, after, "apply"):
            yield Hit(
                change.name,
                f"{change.name} cannot go from {before} to {after}",
                "see docs/lifecycle.md for the moves that exist",
                change.location,
                change.readers,
            )


def _computed_of_computed(view: str, evidence: Evidence) -> bool:
    """Whether it is an on-demand view that reads another one: nobody tries its code alone."""
    made = evidence.compiled.on_demand.get(view)
    read = {text.partition(":")[0] for text in made.inputs} if made is not None else set()
    return bool(read & set(evidence.compiled.on_demand))


@rule(
    "evidence-missing",
    "serving",
    "error",
    "Somebody's word that values are good is no evidence; a stored check of them is.",
)
def evidence_missing(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.feature_changes("state", "change"):
        (difference,) = change.differences
        move = move_of(difference.before or "", difference.after or "", "apply")
        record = evidence.newest.get(change.name)
        if move is None or record is None or _computed_of_computed(record.view, evidence):
            continue
        meaning = evidence.compiled.features[change.name].meaning
        held = evidence.results.get(record.ref, ())
        for what, command in missing(move, record.ref, meaning, held):
            yield Hit(
                change.name,
                f"{change.name} cannot go from {move.before} to {move.after}: {what}",
                f"run: {command}",
                change.location,
                change.readers,
            )


@rule(
    "moved-from-unknown",
    "cosmetic",
    "error",
    "A past that nobody knows is no history.",
)
def moved_from_unknown(evidence: Evidence) -> Iterable[Hit]:
    known = {
        (change.name, str(difference.before).split("@")[0])
        for change in evidence.feature_changes("meaning", "move")
        for difference in change.differences
    }
    for ref, past in past_names(evidence.compiled).items():
        if (ref, past) in known or ref in evidence.newest:
            continue
        yield Hit(
            ref,
            f"{ref} says it was moved from {past}, which the registry does not have",
            "correct the name, or leave moved_from out",
            evidence.compiled.features[ref].location,
        )
