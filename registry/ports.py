"""What the registry asks of the outside, and what other rooms ask of the registry."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from registry.core.audit import ChainedEvent, Checkpoint, Event
from registry.core.duplication import KnownFeature, ProposedFeature
from registry.core.policy import Approval
from registry.core.proposals import Proposal
from registry.core.published import Published, PublishedOnDemand, PublishedView
from registry.core.readers import Reader
from registry.core.similarity.likeness import Answer, Keys
from registry.core.state import FeatureRecord, NamespaceState, ServiceRecord
from registry.core.value_diff import (
    ChangedComputed,
    ChangedView,
    ComputedSample,
    ComputedValues,
    ValuesSeen,
)
from registry.kernel.settings import Settings

if TYPE_CHECKING:  # numpy is not for every server that starts
    from registry.core.similarity.values import ValueSketch


class PublishedReader(Protocol):
    """Gives the newest published state of its namespace. Cheap when nothing has changed."""

    def __call__(self) -> Published:
        """Raises `Unavailable` when the registry does not answer."""
        ...


class GenerationSwitch(Protocol):
    """How a rebuild makes its new generation the one that readers use."""

    def __call__(self, view_key: str, generation: int, actor: str) -> Published: ...


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a line's generation has been materialized: all rows visible before `until`."""

    view_key: str
    generation: int
    until: datetime
    rows: int


class WatermarkBook(Protocol):
    """Where the materializer keeps how far it has come."""

    def read(self, view_key: str, generation: int) -> Watermark | None: ...

    def write(self, mark: Watermark) -> None: ...


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """What the registry keeps of a training set: enough to trace it both ways."""

    name: str
    manifest_digest: str
    created_at: datetime
    created_by: str
    rows: int
    features: tuple[str, ...]
    location: str


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """How often one feature (`view:feature@version`) was looked up through one service (or "ad
    hoc") by one caller: requests, rows, and when it was last counted."""

    ref: str
    service: str
    caller: str
    requests: int
    rows: int
    last_at: datetime

    def plus(self, other: "UsageRecord") -> "UsageRecord":
        """Both together."""
        return replace(
            self,
            requests=self.requests + other.requests,
            rows=self.rows + other.rows,
            last_at=max(self.last_at, other.last_at),
        )


class UsageBook(Protocol):
    """Where lookups are counted, in aggregate."""

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Add each to what is known of its feature, service and caller."""
        ...

    def all(self, ref: str | None = None) -> Sequence[UsageRecord]:
        """Of one feature version, or of all; the most used first."""
        ...


class DatasetBook(Protocol):
    """Where training sets are listed."""

    def add(self, record: DatasetRecord) -> None:
        """Raises `Conflict` when the name is taken by another manifest."""
        ...

    def get(self, name: str) -> DatasetRecord: ...

    def all(self) -> Sequence[DatasetRecord]: ...

    def remove(self, name: str, actor: str, reason: str) -> None:
        """Take a set off the list, with an audit event. Raises `NotFound`."""
        ...


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model version and its state: packaged, gated, approved, champion, retired, rejected.

    `facts` is JSON-able: report digest, approvals, metrics, location and the like.
    """

    name: str
    version: str
    bundle_digest: str
    state: str
    created_at: datetime
    created_by: str
    features: tuple[str, ...]
    facts: Mapping[str, Any]


class ModelBook(Protocol):
    """Where model versions, their states and the champion pointer are kept, with audit."""

    def save(
        self,
        record: ModelRecord,
        actor: str,
        action: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert or update one version and its audit event, with `detail`, in one transaction."""
        ...

    def get(self, name: str, version: str | None = None) -> ModelRecord:
        """That version, or the newest; raises `NotFound`."""
        ...

    def all(self, name: str | None = None) -> Sequence[ModelRecord]: ...

    def champion(self, name: str) -> ModelRecord | None: ...

    def set_champion(
        self,
        name: str,
        version: str,
        actor: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Swap the pointer and append its audit event, with `detail`, in one transaction."""
        ...

    def note(self, name: str, version: str, actor: str, action: str, reason: str) -> None:
        """Append an audit event about a version that there need not be; nothing else changes."""
        ...

    def history(self, name: str) -> Sequence[Event]:
        """All that was done with a model's versions, oldest first; subjects are `name@version`."""
        ...


class Authority(Protocol):
    """Says who stands behind a token."""

    def __call__(self, token: str | None, *roles: str) -> "Principal":
        """The principal, who must hold one of `roles` (none named: any good token will do).

        Raises `Unauthorized` or `Forbidden`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that acts: a subject, its roles, and whether it is a bot."""

    subject: str
    roles: frozenset[str]
    bot: bool = False


class Registry(Protocol):
    """What the other rooms use of an open registry. `registry.bootstrap.open_registry` gives one,
    `registry.testing.InMemoryRegistry` is its twin without a database."""

    @property
    def published(self) -> PublishedReader: ...

    @property
    def authority(self) -> Authority: ...

    @property
    def switch_generation(self) -> GenerationSwitch: ...

    @property
    def watermarks(self) -> WatermarkBook: ...

    @property
    def datasets(self) -> DatasetBook: ...

    @property
    def models(self) -> ModelBook: ...

    @property
    def usage(self) -> UsageBook: ...


class SketchMaker(Protocol):
    """Makes sketches of features' values for duplicate detection; `warehouse` implements it."""

    def __call__(self, view: PublishedView, features: Sequence[str]) -> Sequence["ValueSketch"]:
        """A sketch for each named feature that can be sketched, by `view:feature@version`."""
        ...


class ComputedSketchMaker(Protocol):
    """Makes sketches of on-demand features by running their code on a sample of their inputs;
    `warehouse` implements it. Not for definitions of people whose code is not run here."""

    def __call__(
        self, published: Published, wanted: Mapping[str, Sequence[str]]
    ) -> "tuple[Sequence[ValueSketch], Mapping[str, str]]":
        """A sketch of each wanted feature, by on-demand view's key, and why views have none."""
        ...


class ExampleReader(Protocol):
    """Sketches a column of somebody's file, to look for it among features; `warehouse` implements
    it."""

    def __call__(
        self, file: Path, column: str, keys: Mapping[str, str], time: str
    ) -> "ValueSketch | None":
        """The sketch; None when no row has a key and a past time. `keys` map join keys to the
        file's columns. Raises `Misuse`, `Invalid` or `NotFound` for what cannot be read."""
        ...


class SampleReader(Protocol):
    """Reads values for duplicate detection; `warehouse` implements it.

    Gives, for one view, rows of its newest values per entity key as an Arrow table with the join
    keys and the named features, at most `limit` keys, the ones of the smallest key hashes.
    """

    def __call__(self, view: PublishedView, limit: int) -> Any: ...


class Transaction(Protocol):
    """What use cases do with the store, all of it or nothing."""

    def state(self, namespace: str) -> NamespaceState: ...

    def save_state(self, before: NamespaceState, after: NamespaceState) -> None:
        """Raises `Conflict` when the namespace moved on from `before`."""
        ...

    def published(self, namespace: str, at: datetime | None = None) -> Published | None:
        """The newest published state, or the one in force at `at`."""
        ...

    def publish(self, published: Published) -> None: ...

    def readers(self, namespace: str) -> Sequence[tuple[str, Reader]]:
        """(`view:feature@version`, reader) of training sets, models and callers; those of other
        namespaces are called `namespace/name`."""
        ...

    def borrowers(self, namespace: str) -> Sequence[tuple[str, ServiceRecord]]:
        """(namespace, service) of every other namespace's service that reads this one's
        features, by name."""
        ...

    def services(self, namespace: str) -> Mapping[str, ServiceRecord]:
        """A namespace's services by name, without the rest of its state."""
        ...

    def known_by_key(self, keys: Sequence[str]) -> Sequence[KnownFeature]:
        """Live features of every namespace that have one of these definition keys."""
        ...

    def live_features(self) -> Iterator[tuple[str, FeatureRecord]]:
        """(namespace, record) of every live feature version of every namespace, by name."""
        ...

    def save_sketches(
        self, namespace: str, sketches: Iterable["ValueSketch"], at: datetime
    ) -> None:
        """Keep sketches by `view:feature@version`; newer ones replace older ones."""
        ...

    def sketches(self, entity: str) -> Iterator[tuple[str, "ValueSketch"]]:
        """(namespace, sketch) of every feature of an entity, retired ones left out."""
        ...

    def save_answer(self, answer: Answer) -> None:
        """Keep what a reviewer said of two features; a later answer takes its place."""
        ...

    def answers(self, pairs: Iterable[Keys]) -> Mapping[Keys, Answer]:
        """What was answered about these pairs of definition keys, by `pair_of`."""
        ...

    def save_proposed(self, digest: str, features: Iterable[ProposedFeature]) -> None:
        """Keep what a proposal adds, in place of what was kept of it before."""
        ...

    def adopt_sketches(self, digest: str, namespace: str, at: datetime) -> None:
        """Keep the sketches of what an open proposal adds as those of registered features."""
        ...

    def proposed_by_key(self, keys: Sequence[str]) -> Sequence[ProposedFeature]:
        """What open proposals of every namespace add with one of these definition keys."""
        ...

    def proposed_of(self, entity: str) -> Iterator[ProposedFeature]:
        """What open proposals add to an entity and has a sketch."""
        ...

    def value_candidates(
        self, sketch: "ValueSketch", limit: int
    ) -> Iterator[tuple[str, FeatureRecord, "ValueSketch"]]:
        """(namespace, record, sketch) of live features whose values may be like these, by what is
        indexed of them, the likeliest first."""
        ...

    def index_definitions(self, namespace: str) -> None:
        """Index all definitions of a namespace again, as a registry from before the index needs."""
        ...

    def structure_candidates(
        self, bands: Sequence[int], limit: int
    ) -> Iterator[tuple[str, FeatureRecord]]:
        """(namespace, record) of live features that share pieces of a definition
        (`registry.core.similarity.minhash.bands`), the likeliest first."""
        ...

    def append(self, events: Iterable[Event]) -> Sequence[ChainedEvent]: ...

    def events(
        self, subject: str | None = None, until: datetime | None = None, newest: int | None = None
    ) -> Iterator[ChainedEvent]: ...

    def save_checkpoint(self, mark: Checkpoint) -> None: ...

    def checkpoints(self) -> Sequence[Checkpoint]: ...

    def save_proposal(self, proposal: Proposal) -> None: ...

    def proposal(self, digest: str) -> Proposal:
        """By digest or enough of its first digits; raises `NotFound`."""
        ...

    def pending(self, namespace: str) -> Sequence[Proposal]: ...

    def proposals(self, namespace: str) -> Sequence[Proposal]:
        """All of them, whatever became of them, oldest first."""
        ...

    def save_approval(self, digest: str, approval: Approval) -> None: ...

    def drop_approval(self, digest: str, subject: str) -> None: ...

    def approvals(self, digest: str) -> Sequence[Approval]: ...

    def holder(self, subject: str, now: datetime) -> Principal | None:
        """All that the good tokens of a subject allow, a bot when one of them is; None when it has
        none."""
        ...


class Store(Protocol):
    """Where the registry keeps everything."""

    def read(self) -> AbstractContextManager[Transaction]: ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Alone until it ends; commits at the end, rolls back on any error."""
        ...


class CheckpointBook(Protocol):
    """Keeps checkpoints outside the database, where whoever edits its rows does not reach them."""

    def keep(self, mark: Checkpoint) -> None: ...

    def all(self) -> Sequence[Checkpoint]: ...


class TableReader(Protocol):
    """Says which tables the warehouse has and their columns; `warehouse` implements it.

    None where there is no warehouse to look at, as when a pull request is checked without data.
    """

    def __call__(self, settings: Settings) -> Mapping[str, frozenset[str]] | None: ...


class ValuePreview(Protocol):
    """Looks at the values that a plan changes, before anything is applied; `warehouse` implements
    it. Whatever takes longer than it may is stopped, and what was found until then is given."""

    def look(
        self, changed: Sequence[ChangedView], expected: Sequence[PublishedView], seconds: float
    ) -> ValuesSeen:
        """Stored views before and after, and what a sample of `expected` does not meet."""
        ...

    def sample(
        self, changed: Sequence[ChangedComputed], seconds: float
    ) -> tuple[Sequence[ComputedSample], Mapping[str, str]]:
        """(inputs to compare the codes of on-demand views on, why others have none, by name)."""
        ...

    def run(self, samples: Sequence[ComputedSample], seconds: float) -> Sequence[ComputedValues]:
        """Run both codes on each sample. Nobody has reviewed them: only where no secret is."""
        ...

    def differences(
        self, samples: Sequence[ComputedSample], values: Sequence[ComputedValues]
    ) -> ValuesSeen:
        """What the codes' values say, which are the word of whoever wrote them."""
        ...


class SampleChecker(Protocol):
    """Runs a view's expectations on a sample of its newest rows; `warehouse` implements it."""

    def __call__(self, view: PublishedView) -> Sequence[str]:
        """One sentence for each expectation that does not hold."""
        ...


class CodeChecker(Protocol):
    """Tries an on-demand view's code on a sample of its inputs; `warehouse` implements it."""

    def __call__(
        self, view: PublishedOnDemand, inputs: Mapping[str, PublishedView]
    ) -> Sequence[str]:
        """One sentence for each way in which it cannot be served."""
        ...


@dataclass(frozen=True, slots=True)
class CommandPorts:
    """What the door hands to the registry's commands, since they may not import other rooms."""

    tables: TableReader | None = None
    samples: Callable[[Settings], SampleReader] | None = None
    values: Callable[[Settings], ValuePreview] | None = None
    expectations: Callable[[Settings], SampleChecker] | None = None
    code: Callable[[Settings], CodeChecker] | None = None
    sketches: Callable[[Settings], SketchMaker] | None = None
    computed: Callable[[Settings], ComputedSketchMaker] | None = None
    examples: Callable[[Settings], ExampleReader] | None = None
