"""Rules about features that exist already: what repeats one is refused, what is nearly one asks."""

from collections.abc import Iterable

from registry.core.compiled import CompiledFeature
from registry.core.definitions import NOWHERE
from registry.core.duplication import Duplicate, KnownFeature
from registry.core.questions import ASK
from registry.core.rules.base import Evidence, Hit, rule
from registry.core.similarity.likeness import Example, Likeness
from registry.core.similarity.verdict import Judgement, Verdict

NEAR, IN_REVIEW = "near-duplicate", "duplicate-in-review"


@rule(
    "duplicate-definition",
    "meaning",
    "error",
    "Two names for one computation cost twice and drift apart.",
)
def duplicate_definition(evidence: Evidence) -> Iterable[Hit]:
    for found in evidence.duplicates:
        if not found.other.proposal:
            yield _repeats(evidence, found.feature, found.other, _same(found), found.examples)


@rule(
    "duplicate-values",
    "meaning",
    "error",
    "Values that agree for nearly every entity and time are one feature, however computed.",
)
def duplicate_values(evidence: Evidence) -> Iterable[Hit]:
    for found in evidence.alike:
        if found.judgement.verdict == "duplicate" and not found.other.proposal:
            judged = found.judgement
            yield _repeats(evidence, found.feature, found.other, judged, found.examples)


@rule(
    NEAR,
    "meaning",
    "warning",
    "A copy in another unit, rounded, or shifted in time is seldom what was meant.",
)
def near_duplicate(evidence: Evidence) -> Iterable[Hit]:
    for found in evidence.alike:
        if found.judgement.verdict == "near-duplicate" and not found.other.proposal:
            judged = found.judgement
            yield _asked(evidence, found.feature, found.other, judged, found.examples)


@rule(
    IN_REVIEW,
    "meaning",
    "warning",
    "Two people who build the same at once learn of each other before either lands.",
)
def duplicate_in_review(evidence: Evidence) -> Iterable[Hit]:
    """Whichever lands second would repeat the first: both proposers are asked meanwhile."""
    for repeated in evidence.duplicates:
        if repeated.other.proposal:
            judged = _same(repeated)
            yield _asked(evidence, repeated.feature, repeated.other, judged, repeated.examples)
    for found in evidence.alike:
        if found.other.proposal and found.judgement.verdict in ("duplicate", "near-duplicate"):
            judged = found.judgement
            yield _asked(evidence, found.feature, found.other, judged, found.examples)


@rule(
    "definition-close",
    "cosmetic",
    "notice",
    "A definition that is a window or a filter away may be what its author was looking for.",
)
def definition_close(evidence: Evidence) -> Iterable[Hit]:
    """Advice alone, and none where values or definitions say more."""
    said = {match.feature.ref for match in evidence.duplicates}
    said |= {match.feature.ref for match in evidence.alike}
    for found in evidence.near:
        if found.feature.ref not in said:
            other = found.other
            owner = f"owner {other.owner or 'unknown'}"
            name = f"{evidence.compiled.namespace}/{found.feature.ref}"
            message = f"{name} is close to {other.ref} ({other.state}, {owner}): {found.why}"
            hint = f"look whether {other.ref} will do; nothing has to be answered"
            yield Hit(found.feature.ref, message, hint, found.feature.location)


@rule(
    "values-not-compared",
    "cosmetic",
    "notice",
    "What could not be read was not compared: nobody should think that it was.",
)
def values_not_compared(evidence: Evidence) -> Iterable[Hit]:
    for view, why in evidence.unread:
        reason = " ".join(why.split())
        message = f"the values of {view} were not compared with those of known features: {reason}"
        compiled = evidence.compiled
        known = compiled.views.get(view) or compiled.on_demand.get(view)
        place = NOWHERE if known is None else known.location
        yield Hit(view, message, "mend the source, or look for copies by hand", place)


def _same(found: Duplicate) -> Judgement:
    why = f"both are {found.shared}, for the same entity at the same times"
    return Judgement("duplicate", why, found.more)


def _repeats(
    evidence: Evidence,
    feature: CompiledFeature,
    other: KnownFeature,
    judged: Judgement,
    examples: tuple[Example, ...] = (),
) -> Hit:
    hint = f"reuse {other.ref}, or waive this with a reason in waivers.toml"
    return _hit(evidence, feature, other, ("repeats", hint), judged, examples, "duplicate")


def _asked(
    evidence: Evidence,
    feature: CompiledFeature,
    other: KnownFeature,
    judged: Judgement,
    examples: tuple[Example, ...] = (),
) -> Hit:
    verb = "repeats" if judged.verdict == "duplicate" else "is nearly"
    return _hit(evidence, feature, other, (verb, ASK), judged, examples, "near-duplicate")


def _hit(
    evidence: Evidence,
    feature: CompiledFeature,
    other: KnownFeature,
    said: tuple[str, str],
    judged: Judgement,
    examples: tuple[Example, ...],
    verdict: Verdict,
) -> Hit:
    verb, hint = said
    name = f"{evidence.compiled.namespace}/{feature.ref}"
    keys = (feature.definition_key, other.definition_key)
    owner = f"owner {other.owner or 'unknown'}"
    headline = f"{name} {verb} {other.ref} ({other.state}, {owner})"
    likeness = Likeness(
        feature=name,
        other=other.ref,
        keys=keys,
        verdict=verdict,
        evidence=judged.evidence,
        headline=headline,
        owner=other.owner,
        state=other.state,
        description=other.description,
        unit=other.unit,
        readers=tuple(map(str, evidence.their_readers.get(other.ref, ()))),
        examples=examples,
        proposal=other.proposal,
    )
    message = f"{headline}: {judged.why}"
    return Hit(feature.ref, message, hint, feature.location, likeness=likeness)
