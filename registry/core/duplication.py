"""Features that exist already. Pure: definition keys in, matches with their evidence out.

An equal definition key means: the same columns of the same rows, computed alike, for the same
entities, whatever the feature is called.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from registry.core.compiled import Compiled, CompiledFeature
from registry.core.moves import past_name
from registry.core.similarity.likeness import Example
from registry.core.similarity.verdict import Judgement
from registry.core.state import FeatureRecord
from registry.kernel.canonical import short

if TYPE_CHECKING:  # numpy is for those who compare values
    from registry.core.similarity.values import ValueSketch

BESIDE = "in this proposal"


@dataclass(frozen=True, slots=True)
class KnownFeature:
    """A feature that is registered or proposed, as a match shows it. `proposal` is the digest of
    the open proposal that adds it, where it is in no registry yet."""

    ref: str
    namespace: str
    definition_key: str
    owner: str
    state: str
    description: str
    expression: str
    unit: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A new feature and the one it repeats, with the piece of definition that they share, and what
    their values say where both could be read."""

    feature: CompiledFeature
    other: KnownFeature
    shared: str
    more: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A new feature whose values say that another feature is the same, or nearly."""

    feature: CompiledFeature
    other: KnownFeature
    judgement: Judgement
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class NearMatch:
    """A new feature whose definition is another's but for a piece or two, and which ones."""

    feature: CompiledFeature
    other: KnownFeature
    why: str


@dataclass(frozen=True, eq=False, slots=True)
class ProposedFeature:
    """A feature that an open proposal adds: `proposal` is its digest. `sketch` None: not read."""

    proposal: str
    proposer: str
    known: KnownFeature
    sketch: "ValueSketch | None" = None

    @property
    def shown(self) -> KnownFeature:
        """The feature as a match shows it, with the proposal that it comes from as its state."""
        state = f"proposed by {self.proposer} in {short(self.proposal)}"
        return replace(self.known, state=state, proposal=self.proposal)


def known_feature(namespace: str, record: FeatureRecord) -> KnownFeature:
    """A registered feature as a match shows it."""
    return KnownFeature(
        ref=f"{namespace}/{record.ref}",
        namespace=namespace,
        definition_key=record.definition_key,
        owner=record.facts.owner or "",
        state=record.state,
        description=record.facts.description or "",
        expression=dict(record.facets).get("expression", ""),
        unit=record.facts.unit or "",
    )


def index_by_key(known: Iterable[KnownFeature]) -> Mapping[str, tuple[KnownFeature, ...]]:
    """Known features by definition key."""
    found: dict[str, list[KnownFeature]] = defaultdict(list)
    for feature in known:
        found[feature.definition_key].append(feature)
    return {key: tuple(features) for key, features in found.items()}


def duplicates(
    compiled: Compiled, known: Mapping[str, tuple[KnownFeature, ...]], fresh: Iterable[str]
) -> list[Duplicate]:
    """Which of the `fresh` features (`view:feature`) repeat a known one or one another.

    Of two fresh ones with the same key the later by name is the one that repeats. A registered
    feature is named before one beside it, and that before one of another open proposal.
    """
    found: list[Duplicate] = []
    seen: dict[str, CompiledFeature] = {}
    for ref in sorted(fresh):
        feature = compiled.features[ref]
        others = [
            k for k in known.get(feature.definition_key, ()) if not _same(k, feature, compiled)
        ]
        earlier = seen.setdefault(feature.definition_key, feature)
        if earlier is not feature:
            others.append(new_feature(compiled.namespace, earlier))
        if others:
            first = min(others, key=_nearness)
            found.append(Duplicate(feature, first, first.expression))
    return found


def _nearness(other: KnownFeature) -> int:
    """Registered ones first, then those beside, then those of other proposals."""
    return 2 if other.proposal else int(other.state == BESIDE)


def _same(known: KnownFeature, feature: CompiledFeature, compiled: Compiled) -> bool:
    return is_itself(known, compiled.namespace, feature)


def is_itself(known: KnownFeature, namespace: str, feature: CompiledFeature) -> bool:
    """Whether a known feature is this one, under its name or under the one it was moved from."""
    name = known.ref.split("@")[0]
    return name in (f"{namespace}/{feature.ref}", past_name(feature, namespace))


def _shown(feature: CompiledFeature) -> str:
    return dict(feature.facets).get("expression", "")


def new_feature(namespace: str, feature: CompiledFeature) -> KnownFeature:
    """A feature of the definitions that are being checked, as a match shows it."""
    return KnownFeature(
        ref=f"{namespace}/{feature.ref}",
        namespace=namespace,
        definition_key=feature.definition_key,
        owner=feature.facts.owner or "",
        state=BESIDE,
        description=feature.facts.description or "",
        expression=_shown(feature),
        unit=feature.facts.unit or "",
    )
