"""Features with the same values: sketching what is new, and comparing it with what is kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.core.apply import apply_plan
from registry.core.changes import Plan
from registry.core.compiled import Compiled, CompiledFeature, service_refs
from registry.core.duplication import (
    KnownFeature,
    ValueMatch,
    is_itself,
    known_feature,
    new_feature,
)
from registry.core.publish import publish
from registry.core.published import Published
from registry.core.rules.engine import OFF
from registry.core.similarity.examples import examples_of, stands_behind
from registry.core.similarity.facets import variant_by
from registry.core.similarity.likeness import Example
from registry.core.similarity.values import ValueEvidence, ValueSketch, compare
from registry.core.similarity.verdict import Judgement, judge_pair
from registry.core.state import NamespaceState
from registry.ports import Transaction
from registry.service.context import Context
from registry.service.publishing import elsewhere
from registry.service.sketching import sketch_all, sketch_named

# Of the features whose values may be like these so many are compared, the likeliest first.
CANDIDATES = 32
_SAID = ("duplicate", "near-duplicate")
_Candidate = tuple[KnownFeature, ValueSketch]
Told = tuple[str, tuple[Example, ...]]


@dataclass(slots=True)
class ValueReport:
    """What the values of new features say, the sketches that say it, and which views could not be
    read, by their reason. `same` tells of (new feature, other) that are one by their definitions.
    """

    matches: list[ValueMatch] = field(default_factory=list)
    sketches: list[ValueSketch] = field(default_factory=list)
    same: dict[tuple[str, str], Told] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two registered features whose values are alike."""

    left: str
    right: str
    verdict: str
    why: str


def value_matches(
    context: Context,
    compiled: Compiled,
    planned: Plan,
    state: NamespaceState,
    transaction: Transaction,
) -> ValueReport:
    """What the values of the plan's new features say; nothing where there is no warehouse.

    The strongest match of each feature alone, among what is registered, what open proposals add,
    and what stands beside it. A definition that is equal, or differs in a facet alone, is another
    tier's business and left out.
    """
    fresh = {
        change.name
        for change in planned.changes
        if change.object == "feature"
        and change.aspect == "meaning"
        and change.action in ("add", "change")
    }
    if context.sketches is None or not fresh:
        return ValueReport()
    known = elsewhere(context, transaction, state, service_refs(compiled))
    after = publish(apply_plan(planned, compiled, state, context.clock(), known), context.clock())
    made, unread = sketch_named(context, after, fresh)
    report = ValueReport(unread=unread)
    beside: list[_Candidate] = []
    for sketch in made:
        feature = compiled.features[sketch.ref.split("@")[0]]
        others = [*_registered(sketch, transaction), *beside, *_proposed(sketch, transaction)]
        report.same.update(_same_definition(feature, sketch, others))
        if not _turned_off(context):
            others = [o for o in others if o[0].definition_key != feature.definition_key]
        match = _best_match(compiled.namespace, feature, sketch, others)
        if match is not None:
            report.matches.append(match)
        beside.append((new_feature(compiled.namespace, feature), sketch))
        report.sketches.append(sketch)
    return report


def _same_definition(
    feature: CompiledFeature, sketch: ValueSketch, others: Iterable[_Candidate]
) -> Iterator[tuple[tuple[str, str], Told]]:
    """How much was compared, and examples, of those that another tier calls the same."""
    for known, other in others:
        values = compare(other, sketch) if known.definition_key == feature.definition_key else None
        if values is not None:
            told = stands_behind(other, sketch, values), examples_of(other, sketch, values)
            yield (feature.ref, known.ref), told


def _registered(sketch: ValueSketch, transaction: Transaction) -> Iterator[_Candidate]:
    for namespace, record, other in transaction.value_candidates(sketch, CANDIDATES):
        yield known_feature(namespace, record), other


def _proposed(sketch: ValueSketch, transaction: Transaction) -> Iterator[_Candidate]:
    for proposed in transaction.proposed_of(sketch.entity):
        if proposed.sketch is not None:
            yield proposed.shown, proposed.sketch


def _best_match(
    namespace: str, feature: CompiledFeature, sketch: ValueSketch, others: Iterable[_Candidate]
) -> ValueMatch | None:
    best: tuple[tuple[bool, bool, float], KnownFeature, ValueSketch, ValueEvidence] | None = None
    for known, other in others:
        if is_itself(known, namespace, feature):
            continue
        values = compare(other, sketch)
        judgement = _judgement(feature, known, values)
        if values is None or judgement.verdict not in _SAID:
            continue
        rank = (judgement.verdict == "duplicate", not known.proposal, values.share)
        if best is None or rank > best[0]:
            best = (rank, known, other, values)
    if best is None:
        return None
    _, known, other, values = best
    judgement = _judgement(feature, known, values)
    judgement = replace(judgement, more=stands_behind(other, sketch, values))
    return ValueMatch(feature, known, judgement, examples_of(other, sketch, values))


def _turned_off(context: Context) -> bool:
    """Whether nobody else says that definitions are equal, so that values have to."""
    return context.severities.get("duplicate-definition") == OFF


def _judgement(
    feature: CompiledFeature, known: KnownFeature, values: ValueEvidence | None
) -> Judgement:
    names = (feature.ref, known.ref.partition("/")[2].partition("@")[0])
    judged = judge_pair(same_definition=False, same_shape=False, values=values, names=names)
    if judged.verdict != "near-duplicate":  # only then does it matter whether it is a variant
        return judged
    differing = variant_by(known.expression, dict(feature.facets).get("expression", ""))
    return judge_pair(
        same_definition=False,
        same_shape=bool(differing),
        facets=differing,
        values=values,
        names=names,
    )


def refresh_sketches(context: Context, published: Published) -> tuple[int, Mapping[str, str]]:
    """Sketch every feature of a namespace again, keep the sketches, and index it anew.

    How many, and why views could not be read.
    """
    made, unread = sketch_all(context, published)
    with context.store.write() as transaction:
        transaction.save_sketches(published.namespace, made, context.clock())
        transaction.index_definitions(published.namespace)
    return len(made), unread


def alike_pairs(context: Context, entities: Iterable[str]) -> Sequence[AlikePair]:
    """Pairs of registered features whose values are alike, by what is kept of them."""
    found: dict[tuple[str, str], AlikePair] = {}
    with context.store.read() as transaction:
        for entity in sorted(set(entities)):
            for namespace, sketch in list(transaction.sketches(entity)):
                left = f"{namespace}/{sketch.ref}"
                for theirs, record, other in transaction.value_candidates(sketch, CANDIDATES):
                    right = f"{theirs}/{record.ref}"
                    pair = (left, right) if left < right else (right, left)
                    if left != right and pair not in found:
                        sides = (sketch, other) if left < right else (other, sketch)
                        judged = judge_pair(
                            same_definition=False,
                            same_shape=False,
                            values=compare(*sides),
                            names=(pair[1], pair[0]),
                        )
                        found[pair] = AlikePair(*pair, judged.verdict, judged.why)
    said = (pair for pair in found.values() if pair.verdict in _SAID)
    return sorted(said, key=lambda pair: (pair.verdict, pair.left, pair.right))
