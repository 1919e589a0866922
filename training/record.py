"""What is written down of a build: its manifest, and its row in the registry. Pure, but for asking
which revision and library it was."""

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import pyarrow as pa

from registry.ports import DatasetRecord
from training.dataset import TrainingSet
from training.describe import Description
from training.manifest import Manifest, SnapshotFacts, ViewQuality
from training.quality import failures_of
from training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, by whom, with what and from which published state a set is built."""

    now: datetime
    actor: str
    engine: str
    code_revision: str | None
    published_number: int
    namespace: str


def manifest_of(
    recipe: Recipe,
    described: Description,
    snapshots: tuple[SnapshotFacts, ...],
    quality: tuple[ViewQuality, ...],
    around: Circumstances,
    immature: int,
) -> Manifest:
    """The manifest of a set that was built; failed expectations are among its findings."""
    return Manifest(
        name=recipe.spec.name,
        created_at=around.now,
        created_by=around.actor,
        content_hash=described.content_hash,
        rows=described.rows,
        columns=described.columns,
        recipe=recipe,
        snapshots=snapshots,
        coverage=described.coverage,
        findings=(*described.findings, *failures_of(quality)),
        quality=quality,
        profiles=described.profiles,
        parts=described.parts,
        engine=around.engine,
        library=_library(),
        code_revision=around.code_revision,
        published_number=around.published_number,
        namespace=around.namespace,
        immature=immature,
    )


def record_of(made: TrainingSet) -> DatasetRecord:
    """The set's row in the registry."""
    manifest = made.manifest
    return DatasetRecord(
        name=manifest.name,
        manifest_digest=made.digest,
        created_at=manifest.created_at,
        created_by=manifest.created_by,
        rows=manifest.rows,
        features=tuple(feature.plain_ref for feature in manifest.recipe.features),
        location=str(made.folder),
    )


def _library() -> str:
    """Our version and that of the library that holds the data, for the record."""
    try:
        ours = version("fieldhouse")
    except PackageNotFoundError:  # run from a bare checkout
        ours = "0"
    return f"fieldhouse {ours}, pyarrow {pa.__version__}"
