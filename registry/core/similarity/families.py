"""Families: features that are one definition but for their facets. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from registry.core.similarity.facets import Faceted, differing_facets, set_facets_apart, spoken
from registry.kernel.canonical import digest


@dataclass(frozen=True, slots=True)
class Member:
    """A feature as a family shows it."""

    ref: str
    definition_key: str
    owner: str
    state: str
    join_keys: str
    expression: str


@dataclass(frozen=True, slots=True)
class Family:
    """Members of one shape. `duplicates` are groups whose definitions are equal; `facets` says per
    member how it differs from the first."""

    shape: str
    members: tuple[Member, ...]
    duplicates: tuple[tuple[str, ...], ...]
    facets: tuple[tuple[str, str], ...]


def family_key(join_keys: str, shape: str) -> str:
    """Equal for features of one family."""
    return digest([join_keys, shape])


def families(members: Iterable[Member]) -> list[Family]:
    """Families of two or more, those with duplicates first, then by size and name."""
    grouped: dict[str, list[tuple[Member, Faceted]]] = defaultdict(list)
    for member in sorted(members, key=lambda m: m.ref):
        faceted = set_facets_apart(member.expression)
        grouped[family_key(member.join_keys, faceted.shape)].append((member, faceted))
    found = [_family(group) for group in grouped.values() if len(group) > 1]
    return sorted(found, key=lambda f: (-len(f.duplicates), -len(f.members), f.members[0].ref))


def _family(group: list[tuple[Member, Faceted]]) -> Family:
    first = group[0][1]
    by_key: dict[str, list[str]] = defaultdict(list)
    for member, _ in group:
        by_key[member.definition_key].append(member.ref)
    return Family(
        shape=first.shape,
        members=tuple(member for member, _ in group),
        duplicates=tuple(tuple(refs) for refs in by_key.values() if len(refs) > 1),
        facets=tuple((member.ref, _said(first, faceted)) for member, faceted in group[1:]),
    )


def _said(first: Faceted, other: Faceted) -> str:
    said = [
        f"{kind} {spoken(right)} against {spoken(left)}"
        for kind, left, right in differing_facets(first, other)
    ]
    return "; ".join(said) or "no facet"
