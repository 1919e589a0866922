"""The manifest: what a training set says of itself. A plain value and its JSON; reads no file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from registry.core.definitions import Source
from registry.core.findings import Finding
from registry.kernel.canonical import digest_bytes
from registry.kernel.errors import Corrupt
from training.coverage import Coverage
from training.recipe import Recipe
from training.splits import Splits
from warehouse.profiles import ColumnProfile
from warehouse.quality_report import QualityReport

LAYOUT = 1
Role = Literal["key", "time", "label", "spine", "feature"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the data. `ref` and `meaning` are a feature's `view:feature@version` and the
    digest of its meaning; `nullable` columns have nulls."""

    name: str
    role: Role
    arrow: str
    ref: str | None = None
    meaning: str | None = None
    state: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """What a source gave, kept: the set is rebuilt from it. `source` None is the spine."""

    of: str
    digest: str
    rows: int
    columns: tuple[str, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class PartFacts:
    """One part of the split."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class ViewQuality:
    """What the expectations of one view found, `on` its source's snapshot or the built set; those
    on the set that its spec names have view ''."""

    view: str
    report: QualityReport
    on: Literal["source", "set"] = "source"

    @property
    def subject(self) -> str:
        return self.view or "the set"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about one training set. All that is in it is decided once, at build. `immature`
    counts the spine's rows that were left out because their label was not known yet."""

    name: str
    created_at: datetime
    created_by: str
    content_hash: str
    rows: int
    columns: tuple[Column, ...]
    recipe: Recipe
    snapshots: tuple[SnapshotFacts, ...]
    coverage: tuple[Coverage, ...]
    findings: tuple[Finding, ...]
    quality: tuple[ViewQuality, ...]
    profiles: dict[str, ColumnProfile]
    parts: tuple[PartFacts, ...]
    engine: str
    library: str
    code_revision: str | None
    published_number: int
    namespace: str
    layout: int = LAYOUT
    immature: int = 0

    @property
    def label(self) -> str | None:
        return self.recipe.spec.label

    @property
    def splits(self) -> Splits | None:
        return self.recipe.spec.splits

    @property
    def features(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def spine(self) -> SnapshotFacts:
        return next(kept for kept in self.snapshots if kept.source is None)


def to_json(manifest: Manifest) -> bytes:
    """The manifest's file: sorted and indented, the same bytes for the same manifest."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def from_json(data: bytes) -> Manifest:
    """Read a manifest's file. Raises `Corrupt` when it is not one, or of a later layout."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:  # a ValidationError is one
        raise Corrupt("cannot read a training set's manifest", str(error)) from error
    if manifest.layout != LAYOUT:
        raise Corrupt(
            f"training set {manifest.name!r} has a manifest of layout {manifest.layout}",
            f"this version of Fieldhouse reads layout {LAYOUT}",
        )
    return manifest


def digest_of(data: bytes) -> str:
    """The digest by which a manifest, and so its training set, is known."""
    return digest_bytes(data)
