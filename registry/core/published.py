"""The published state: what the data plane obeys, as one numbered, frozen value.

The registry appends a new `Published` in the same transaction as the change that made it. Training,
lookup and serving read the newest one and decide everything from it; they never ask the registry
during a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from registry.core.definitions import Expectation, JoinKey, Scalar, Source
from registry.kernel.errors import Gone, Invalid, NotFound
from registry.kernel.refs import FeatureRef, parse_ref

# What keys of new generations are: see docs/online-format.md.
KEY_FORMAT = 2
STATES = ("draft", "production", "deprecated", "retired", "quarantined")


@dataclass(frozen=True, slots=True)
class PublishedFeature:
    """One live feature version with the facts that training and serving act on."""

    name: str
    dtype: str
    version: int
    state: str
    meaning: str
    owner: str
    description: str
    unit: str
    sensitivity: str = "internal"
    staleness: str = "null"
    default: Scalar = None
    sunset: datetime | None = None
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class RowSchema:
    """The columns of an online row of one schema version, in the order in which they are packed."""

    version: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PublishedView:
    """One line of a view: the newest definition (line of the highest number) or an older one.

    A changed meaning starts a new line; an older line goes on holding the feature versions that
    somebody is still pinned to. `generation` is part of every online key of the line, and
    `key_format` says how the entity is written there. `ready` is
    False from the apply that started the line until its first materialization has ended. `rebuild`
    says that rows of the live generation may hold columns of features that are gone: the next
    materialization writes a new generation and switches to it.
    """

    namespace: str
    name: str
    line: int
    entities: tuple[str, ...]
    join_keys: tuple[JoinKey, ...]
    source: Source
    features: tuple[PublishedFeature, ...]
    row_schemas: tuple[RowSchema, ...]
    ttl_seconds: float | None = None
    online: bool = True
    generation: int = 1
    ready: bool = True
    rebuild: bool = False
    domain: str = ""
    expectations: tuple[Expectation, ...] = ()
    key_format: int = 1

    @property
    def key(self) -> str:
        """`view` for the first line, `view@2` for the second: the physical name of this line."""
        return self.name if self.line == 1 else f"{self.name}@{self.line}"

    @property
    def row_schema(self) -> RowSchema:
        """The schema that rows are written with now."""
        return self.row_schemas[-1]

    def at(self, generation: int) -> "PublishedView":
        """The view as it is once that generation is live: another one has the newest keys."""
        key_format = self.key_format if generation == self.generation else KEY_FORMAT
        return replace(
            self, generation=generation, key_format=key_format, ready=True, rebuild=False
        )

    def feature(self, name: str) -> PublishedFeature | None:
        return next((f for f in self.features if f.name == name), None)


@dataclass(frozen=True, slots=True)
class PublishedOnDemand:
    """An on-demand view, its function named by the digest of its source text."""

    namespace: str
    name: str
    mode: str
    entry: str
    code: str
    code_digest: str
    features: tuple[PublishedFeature, ...]
    inputs: tuple[str, ...]
    request_fields: tuple[JoinKey, ...]
    line: int = 1

    @property
    def key(self) -> str:
        return self.name if self.line == 1 else f"{self.name}@{self.line}"


@dataclass(frozen=True, slots=True)
class PinnedFeature:
    """A reference resolved to one version in one place. `view` is the key of a published view."""

    view: str
    feature: str
    version: int
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class PublishedService:
    """A feature service whose references were pinned when it was applied."""

    namespace: str
    name: str
    features: tuple[PinnedFeature, ...]
    owner: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class RetiredFeature:
    """A tombstone, so that a request for it is answered 410 and not 404."""

    view: str
    feature: str
    version: int
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """Everything that is live in one namespace. `number` only grows.

    `borrowed` and `borrowed_on_demand` are copies of other namespaces' views that its services
    read, called and keyed `namespace/view`: they are read like its own and never written here.
    """

    number: int
    at: datetime
    namespace: str
    views: Mapping[str, PublishedView] = field(default_factory=dict)
    on_demand: Mapping[str, PublishedOnDemand] = field(default_factory=dict)
    services: Mapping[str, PublishedService] = field(default_factory=dict)
    retired: tuple[RetiredFeature, ...] = ()
    borrowed: Mapping[str, PublishedView] = field(default_factory=dict)
    borrowed_on_demand: Mapping[str, PublishedOnDemand] = field(default_factory=dict)

    def view(self, key: str) -> PublishedView:
        """The line of that key, borrowed or not; raises `NotFound` with the nearest names."""
        found = self.views.get(key) or self.borrowed.get(key)
        if found is None:
            raise NotFound("feature view", key, [*self.views, *self.borrowed])
        return found

    def computed(self, key: str) -> PublishedOnDemand:
        """The on-demand view of that key, borrowed or not; raises `NotFound`."""
        found = self.on_demand.get(key) or self.borrowed_on_demand.get(key)
        if found is None:
            raise NotFound("on-demand view", key, [*self.on_demand, *self.borrowed_on_demand])
        return found

    def service(self, name: str) -> PublishedService:
        """The feature service of that name; raises `NotFound` with the nearest names."""
        if name not in self.services:
            raise NotFound("feature service", name, self.services)
        return self.services[name]

    def feature(self, pinned: PinnedFeature) -> PublishedFeature:
        """The published feature that a pin names; raises `NotFound` when it is no longer live."""
        try:
            holder = self.computed(pinned.view) if pinned.on_demand else self.view(pinned.view)
        except NotFound:
            raise NotFound("feature", f"{pinned.view}:{pinned.feature}", self.names()) from None
        found = next((f for f in holder.features if f.name == pinned.feature), None)
        if found is None:
            raise NotFound("feature", f"{pinned.view}:{pinned.feature}", self.names())
        return found

    def live(self) -> list[tuple[str, PublishedFeature]]:
        """(view's name, feature) of every live feature version, stored and computed."""
        stored = [(v.name, f) for v in self.views.values() for f in v.features]
        computed = [(v.name, f) for v in self.on_demand.values() for f in v.features]
        return [*stored, *computed]

    def names(self) -> list[str]:
        """Every live `view:feature`, sorted."""
        return sorted({f"{view}:{feature.name}" for view, feature in self.live()})

    def resolve(self, ref: FeatureRef | str) -> PinnedFeature:
        """Pin a reference: the asked version, else the newest live one. A feature of another
        namespace is found where a service borrows it.

        Raises `Invalid` (not a reference, a namespace of which nothing is borrowed), `Gone`
        (retired) or `NotFound`.
        """
        wanted = parse_ref(ref) if isinstance(ref, str) else ref
        if wanted.namespace not in (None, self.namespace):
            self._check_borrows(wanted)
            wanted = replace(wanted, view=f"{wanted.namespace}/{wanted.view}", namespace=None)
        candidates = [*self._stored(wanted), *self._computed(wanted)]
        if not candidates:
            raise self._missing(wanted)
        return max(candidates, key=lambda found: found[0])[1]

    def _check_borrows(self, wanted: FeatureRef) -> None:
        prefix = f"{wanted.namespace}/"
        names = [*self.borrowed, *self.borrowed_on_demand, *(gone.view for gone in self.retired)]
        if not any(name.startswith(prefix) for name in names):
            raise Invalid(
                f"{wanted} is of namespace {wanted.namespace!r}",
                f"this is {self.namespace!r}, and no feature service of it reads from there",
                "name it in a feature service first: that is how its owner sees the reader",
            )

    def _stored(self, wanted: FeatureRef) -> list[tuple[tuple[int, bool, int], PinnedFeature]]:
        return [
            (
                (feature.version, view.ready, view.line),
                PinnedFeature(view.key, feature.name, feature.version),
            )
            for view in (*self.views.values(), *self.borrowed.values())
            if view.name == wanted.view
            for feature in view.features
            if feature.name == wanted.feature and wanted.version in (None, feature.version)
        ]

    def _computed(self, wanted: FeatureRef) -> list[tuple[tuple[int, bool, int], PinnedFeature]]:
        return [
            (
                (feature.version, True, view.line),
                PinnedFeature(view.key, feature.name, feature.version, on_demand=True),
            )
            for view in (*self.on_demand.values(), *self.borrowed_on_demand.values())
            if view.name == wanted.view
            for feature in view.features
            if feature.name == wanted.feature and wanted.version in (None, feature.version)
        ]

    def _missing(self, wanted: FeatureRef) -> Gone | NotFound:
        buried = [
            gone
            for gone in self.retired
            if (gone.view, gone.feature) == (wanted.view, wanted.feature)
            and wanted.version in (None, gone.version)
        ]
        if buried:
            newest = max(buried, key=lambda gone: gone.version)
            hint = f"use {newest.replaced_by}" if newest.replaced_by else ""
            return Gone(f"feature {wanted} was retired", hint=hint)
        return NotFound("feature", str(wanted), self.names())
