"""What the registry holds twice, as families: ties by definition, by values and by facets. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registry.core.similarity.families import Family, Member
from registry.core.similarity.likeness import Answer, Keys, pair_of

STRENGTH = {"duplicate": 0, "near-duplicate": 1, "variant": 2}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two registered features, by whole reference, what the one is to the other, and why."""

    left: str
    right: str
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class Tie:
    """What a member is to another one of its family: `to` names that one."""

    ref: str
    to: str
    verdict: str
    why: str
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Kin:
    """A family: who leads it, and each other member with its strongest tie, strongest first."""

    members: tuple[Member, ...]
    ties: tuple[Tie, ...]

    @property
    def doubled(self) -> bool:
        """Whether it holds more than variants."""
        return any(tie.verdict != "variant" for tie in self.ties)

    @property
    def open(self) -> bool:
        """Whether something in it is held twice, and nobody has said why."""
        return any(t.verdict != "variant" and t.answer is None for t in self.ties)


def kinships(
    members: Mapping[str, Member],
    families: Iterable[Family],
    pairs: Iterable[Pair],
    answers: Mapping[Keys, Answer],
) -> list[Kin]:
    """Families of two or more, those with something open first, then by their first member.

    `members` are all live features by reference; `families` are of one shape each, `pairs` alike by
    their values.
    """
    ties = [*_by_definition(families), *pairs]
    known = [pair for pair in ties if pair.left in members and pair.right in members]
    found = [_kin(group, known, members, answers) for group in _groups(known)]
    return sorted(found, key=lambda kin: (not kin.open, _gravest(kin), kin.members[0].ref))


def pairs_to_ask(pairs: Iterable[Pair], members: Mapping[str, Member]) -> list[Keys]:
    """The definition keys of pairs, as answers are kept by."""
    return [
        pair_of(members[p.left].definition_key, members[p.right].definition_key)
        for p in pairs
        if p.left in members and p.right in members
    ]


def _by_definition(families: Iterable[Family]) -> Iterable[Pair]:
    for family in families:
        first = family.members[0].ref
        same = {ref: group[0] for group in family.duplicates for ref in group[1:]}
        for ref, said in family.facets:
            if ref in same:
                yield Pair(same[ref], ref, "duplicate", "computed alike from the same columns")
            else:
                yield Pair(first, ref, "variant", said)


def _groups(pairs: Sequence[Pair]) -> list[set[str]]:
    """Who is tied to whom, over any number of ties."""
    group: dict[str, set[str]] = {}
    for pair in pairs:
        joined = group.get(pair.left, {pair.left}) | group.get(pair.right, {pair.right})
        for ref in joined:
            group[ref] = joined
    return list({id(members): members for members in group.values()}.values())


def _kin(
    group: set[str],
    pairs: Iterable[Pair],
    members: Mapping[str, Member],
    answers: Mapping[Keys, Answer],
) -> Kin:
    inside = [pair for pair in pairs if pair.left in group]
    leader = _leader(group, inside, members)
    ties = sorted(
        _strongest(group - {leader}, leader, inside, members, answers),
        key=lambda tie: (STRENGTH[tie.verdict], tie.ref),
    )
    return Kin((members[leader], *(members[tie.ref] for tie in ties)), tuple(ties))


def _leader(group: set[str], pairs: Iterable[Pair], members: Mapping[str, Member]) -> str:
    """The one in production with most ties: what the others are compared with."""
    count: dict[str, int] = defaultdict(int)
    for pair in pairs:
        count[pair.left] += 1
        count[pair.right] += 1
    return min(group, key=lambda ref: (members[ref].state != "production", -count[ref], ref))


def _strongest(
    refs: Iterable[str],
    leader: str,
    pairs: Sequence[Pair],
    members: Mapping[str, Member],
    answers: Mapping[Keys, Answer],
) -> Iterable[Tie]:
    touching: dict[str, list[tuple[str, Pair]]] = defaultdict(list)
    for pair in pairs:
        touching[pair.left].append((pair.right, pair))
        touching[pair.right].append((pair.left, pair))
    for ref in refs:
        to, pair = min(touching[ref], key=lambda t: (STRENGTH[t[1].verdict], t[0] != leader, t[0]))
        keys = pair_of(members[ref].definition_key, members[to].definition_key)
        yield Tie(ref, to, pair.verdict, pair.why, answers.get(keys))


def _gravest(kin: Kin) -> int:
    return min(STRENGTH[tie.verdict] for tie in kin.ties)
