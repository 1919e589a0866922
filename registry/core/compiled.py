"""A repository with its digests taken: what planning, rules and duplicate detection compare."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.core.definitions import (
    Entity,
    FeatureService,
    FeatureView,
    Governance,
    Location,
    OnDemandView,
    Repository,
)


@dataclass(frozen=True, slots=True)
class CompiledFeature:
    """One feature as the repository says it now.

    `meaning` and `text` are digests (decision 3), `definition_key` is equal for features that are
    computed alike whatever they are called, `facets` name and show the parts of the meaning for
    people (expression, source, join keys, type, ttl, default).
    """

    view: str
    name: str
    dtype: str
    meaning: str
    text: str
    definition_key: str
    facets: tuple[tuple[str, str], ...]
    facts: Governance
    location: Location
    on_demand: bool = False

    @property
    def ref(self) -> str:
        return f"{self.view}:{self.name}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """All of a repository, by name."""

    namespace: str
    entities: Mapping[str, Entity]
    views: Mapping[str, FeatureView]
    on_demand: Mapping[str, OnDemandView]
    services: Mapping[str, FeatureService]
    features: Mapping[str, CompiledFeature]
    repository: Repository


def service_refs(compiled: Compiled) -> list[str]:
    """Every reference of every feature service."""
    return [ref for service in compiled.services.values() for ref in service.refs]
