"""What the registry knows of one namespace, as one frozen value. Pure data, no rules.

`apply` makes a new state out of an old one and a plan; the store keeps what differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from registry.core.definitions import Entity, FeatureService, FeatureView, Governance, OnDemandView
from registry.core.published import PinnedFeature, RowSchema

LIVE_STATES = frozenset({"draft", "production", "deprecated", "quarantined"})
SERVED_STATES = frozenset({"production", "deprecated", "quarantined"})


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """One version of one feature. `lines` are the view lines that hold it, oldest first.

    `before_quarantine` is the state to go back to on release. `facts` are effective: what the view
    says where the feature says nothing.
    """

    view: str
    name: str
    version: int
    dtype: str
    meaning: str
    text: str
    definition_key: str
    facets: tuple[tuple[str, str], ...]
    state: str
    facts: Governance
    lines: tuple[int, ...] = (1,)
    on_demand: bool = False
    before_quarantine: str | None = None
    since: datetime | None = None

    @property
    def ref(self) -> str:
        """`view:feature@version`."""
        return f"{self.view}:{self.name}@{self.version}"

    @property
    def short_ref(self) -> str:
        """`view:feature`."""
        return f"{self.view}:{self.name}"

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class ViewLine:
    """A compiled definition of a view that somebody may still read. Lines count from 1.

    `rebuild` says that the live generation's rows may hold what is gone, so that a new generation
    is due; it goes on serving until that is written. `key_format` is that of the generation's keys:
    lines that were stored before there was another one have format 1.
    """

    line: int
    definition: FeatureView
    row_schemas: tuple[RowSchema, ...]
    generation: int = 1
    ready: bool = True
    retired: bool = False
    rebuild: bool = False
    key_format: int = 1

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def key(self) -> str:
        return self.name if self.line == 1 else f"{self.name}@{self.line}"


@dataclass(frozen=True, slots=True)
class OnDemandRecord:
    """A definition of an on-demand view that somebody may still read. Lines count from 1."""

    line: int
    definition: OnDemandView
    code_digest: str
    retired: bool = False

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def key(self) -> str:
        return self.name if self.line == 1 else f"{self.name}@{self.line}"


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A feature service and what its references were pinned to."""

    definition: FeatureService
    pinned: tuple[PinnedFeature, ...]


@dataclass(frozen=True, slots=True)
class NamespaceState:
    """Everything of one namespace. `number` grows by one with every change."""

    namespace: str
    number: int = 0
    entities: Mapping[str, Entity] = field(default_factory=dict)
    lines: Mapping[str, ViewLine] = field(default_factory=dict)
    on_demand: Mapping[str, OnDemandRecord] = field(default_factory=dict)
    features: Mapping[str, FeatureRecord] = field(default_factory=dict)
    services: Mapping[str, ServiceRecord] = field(default_factory=dict)


def newest_features(state: NamespaceState) -> dict[str, FeatureRecord]:
    """The newest version of each feature by `view:feature`, retired ones included."""
    newest: dict[str, FeatureRecord] = {}
    for record in state.features.values():
        known = newest.get(record.short_ref)
        if known is None or record.version > known.version:
            newest[record.short_ref] = record
    return newest


def newest_lines(state: NamespaceState) -> dict[str, ViewLine]:
    """The newest line of each view by name, retired ones included."""
    newest: dict[str, ViewLine] = {}
    for line in state.lines.values():
        if line.name not in newest or line.line > newest[line.name].line:
            newest[line.name] = line
    return newest


def newest_on_demand(state: NamespaceState) -> dict[str, OnDemandRecord]:
    """The newest line of each on-demand view by name, retired ones included."""
    newest: dict[str, OnDemandRecord] = {}
    for record in state.on_demand.values():
        if record.name not in newest or record.line > newest[record.name].line:
            newest[record.name] = record
    return newest
