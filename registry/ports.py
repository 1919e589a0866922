"""What the registry asks of the outside, and what other rooms ask of the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from registry.core.published import Published, PublishedView


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


class DatasetBook(Protocol):
    """Where training sets are listed."""

    def add(self, record: DatasetRecord) -> None:
        """Raises `Conflict` when the name is taken by another manifest."""
        ...

    def get(self, name: str) -> DatasetRecord: ...

    def all(self) -> Sequence[DatasetRecord]: ...


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

    def save(self, record: ModelRecord, actor: str, action: str, reason: str = "") -> None:
        """Insert or update one version and its audit event in one transaction."""
        ...

    def get(self, name: str, version: str | None = None) -> ModelRecord:
        """That version, or the newest; raises `NotFound`."""
        ...

    def all(self, name: str | None = None) -> Sequence[ModelRecord]: ...

    def champion(self, name: str) -> ModelRecord | None: ...

    def set_champion(self, name: str, version: str, actor: str, reason: str = "") -> None:
        """Swap the pointer and append its audit event in one transaction."""
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


class SampleReader(Protocol):
    """Reads values for duplicate detection; `warehouse` implements it.

    Gives, for one view, rows of its newest values per entity key as an Arrow table with the join
    keys and the named features, at most `limit` keys, the ones of the smallest key hashes.
    """

    def __call__(self, view: PublishedView, limit: int) -> Any: ...
