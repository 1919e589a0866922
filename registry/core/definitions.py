"""Definitions as frozen values: what a feature repository says, free of Feast.

Made at one border (`registry.adapters.feast_border`). Everything is hashable and compares by value.
Where a definition stood in its file is kept for messages and never counts as meaning.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

SourceKind = Literal["table", "sql", "push", "stream", "request"]
ViewKind = Literal["batch", "stream"]
TransformMode = Literal["python", "pandas"]
Staleness = Literal["last", "default", "null", "refuse"]
Scalar = str | int | float | bool | None

DECLARED_STATES = ("draft", "production", "deprecated")
STALENESS_POLICIES = ("last", "default", "null", "refuse")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the repository: path relative to its root, line counted from 1."""

    file: str
    line: int


NOWHERE = Location("", 0)


@dataclass(frozen=True, slots=True)
class Governance:
    """Facts about a feature that `governed(...)` declares. None means: not said here.

    `state` is one of `DECLARED_STATES`; `sunset` is aware UTC; `staleness` says what a lookup
    answers for a value past its ttl or quarantined; `default` is what policy "default" answers and
    what rows written before the feature existed read as. `moved_from` is the reference by which it
    was known before.
    """

    owner: str | None = None
    description: str | None = None
    unit: str | None = None
    sensitivity: str | None = None
    state: str | None = None
    sunset: datetime | None = None
    replaced_by: str | None = None
    reason: str | None = None
    staleness: str | None = None
    default: Scalar = None
    version: int | None = None
    moved_from: str | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a view. `dtype` is a name of `registry.kernel.types`."""

    name: str
    dtype: str
    facts: Governance = Governance()
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class JoinKey:
    """The column by which rows are found, and its type."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that features describe. One join key each; a composite key is several entities."""

    name: str
    join_key: JoinKey
    description: str = ""
    owner: str = ""
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where values come from, by logical name.

    kind "table": `table` is a warehouse table's logical name. "sql": `query` is SELECT text over
    warehouse tables. "push" and "stream": values are written by callers, history from `batch`.
    "request": `fields` arrive with each request. `field_mapping` maps source column to feature.
    Of rows that share key, event and created time, the one greatest in column `tie_breaker` counts.
    `file` is what the author calls the table's file, folders left aside: it is shown, never read.
    """

    name: str
    kind: SourceKind
    table: str | None = None
    query: str | None = None
    timestamp_field: str | None = None
    created_field: str | None = None
    field_mapping: tuple[tuple[str, str], ...] = ()
    fields: tuple[JoinKey, ...] = ()
    tie_breaker: str | None = None
    batch: "Source | None" = None
    file: str | None = None
    location: Location = field(default=NOWHERE, compare=False)

    @property
    def history(self) -> "Source":
        """The source that holds past values: itself, or the batch source behind a push source."""
        return self.batch if self.batch is not None else self


@dataclass(frozen=True, slots=True)
class Expectation:
    """A data quality expectation by its Great Expectations name, with canonical JSON arguments."""

    kind: str
    arguments: str


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Features of the same entities from the same source. `ttl_seconds` None means: for ever."""

    name: str
    entities: tuple[str, ...]
    join_keys: tuple[JoinKey, ...]
    source: Source
    features: tuple[Feature, ...]
    ttl_seconds: float | None = None
    kind: ViewKind = "batch"
    online: bool = True
    domain: str = ""
    facts: Governance = Governance()
    tags: tuple[tuple[str, str], ...] = ()
    expectations: tuple[Expectation, ...] = ()
    location: Location = field(default=NOWHERE, compare=False)

    def feature(self, name: str) -> Feature | None:
        return next((f for f in self.features if f.name == name), None)


@dataclass(frozen=True, slots=True)
class OnDemandView:
    """Features computed when asked for, from other features and from the request.

    `code` is the source text of one function called `entry`; mode "python" gets and gives dicts of
    lists, "pandas" data frames.
    """

    name: str
    mode: TransformMode
    entry: str
    code: str
    features: tuple[Feature, ...]
    inputs: tuple[str, ...] = ()
    request_fields: tuple[JoinKey, ...] = ()
    domain: str = ""
    facts: Governance = Governance()
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class FeatureService:
    """What one model or application reads: references `view:feature[@version]`, in order."""

    name: str
    refs: tuple[str, ...]
    description: str = ""
    owner: str = ""
    state: str = "production"
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Repository:
    """All that one feature repository defines, under its namespace, sorted by name."""

    namespace: str
    entities: tuple[Entity, ...] = ()
    views: tuple[FeatureView, ...] = ()
    on_demand: tuple[OnDemandView, ...] = ()
    services: tuple[FeatureService, ...] = ()
