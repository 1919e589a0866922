"""Builds, lists, verifies and compares training sets: chains the other modules, decides little."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from registry.core.published import Published
from registry.kernel.clock import Clock
from registry.kernel.errors import Conflict, Refused
from registry.kernel.progress import progress
from registry.ports import DatasetRecord, Registry
from training.assemble import Assembled, assemble
from training.checks import Limits
from training.dataset import TrainingSet
from training.describe import QualityPolicy, check_quality, describe
from training.diff import DatasetDiff, compare
from training.manifest import Manifest, SnapshotFacts
from training.maturity import Ripe, ripe_rows
from training.recipe import Recipe, make_recipe
from training.request import Options, make_spec
from training.revision import code_revision
from training.sources import KeptSource, keep_sources, pin_kept
from training.spec import TrainingSpec, check_name, named_features
from training.spine import read_spine, spine_text
from training.verify import Verification, verify_set
from training.writer import DatasetFolder
from warehouse.content import content_hash
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Training:
    """Everything that training sets are made with and kept in. `training.bootstrap` makes one."""

    registry: Registry
    engine: Engine
    datasets: DatasetFolder
    snapshots: SnapshotStore
    clock: Clock
    limits: Limits
    quality: QualityPolicy
    project: Path
    actor: str
    interval_seconds: float = 3600.0

    def build(
        self,
        name: str,
        spine: Any,
        features: str | Sequence[str],
        label: str | None = None,
        time_column: str = "event_timestamp",
        **options: Unpack[Options],
    ) -> TrainingSet:
        """Join features to each row of a spine as they were known at the row's time, and keep it.

        `spine` is an Arrow table, a pandas or Polars frame, a Parquet path or glob, or a SELECT
        over the warehouse; it holds the join keys, `time_column` (timestamps; without a zone they
        are of `time_zone`), the label and whatever else shall stand beside. `features` names a
        feature service, or lists references. A set of that name that was made by the same recipe
        from the same data is given back as it is.

        Raises `Misuse` (spine, names), `NotFound`, `Gone` (retired), `Refused` (deprecated without
        `allow_deprecated`, quarantined, failed expectations under the policy "block"), `Conflict`
        (another set has the name), `Invalid` (types, instants).
        """
        check_name(name)
        state = self.registry.published()
        refs, service = named_features(features, state)
        asked = TrainingSpec(name, refs, time_column, label, service, spine=spine_text(spine))
        spec = make_spec(asked, options, self.interval_seconds)
        table = read_spine(spine, self.engine)
        recipe = make_recipe(spec, state, table.column_names)
        self._check_free(name, recipe)
        ripe = self._ripe(table, spec)
        kept, assembled = self._assemble(ripe.table, recipe)
        spine_kept = self.snapshots.keep(ripe.table.to_reader())
        facts = SnapshotFacts(
            "spine", spine_kept.digest, spine_kept.rows, tuple(table.column_names)
        )
        manifest = self._manifest(recipe, assembled, kept, facts, state)
        return self._keep(assembled.table, replace(manifest, immature=ripe.left_out))

    def load(self, name: str) -> TrainingSet:
        """The training set of that name; raises `NotFound` or `Corrupt`."""
        return self.datasets.load(name)

    def all(self) -> list[TrainingSet]:
        """Every training set of this project, by name."""
        return [self.datasets.load(name) for name in self.datasets.names()]

    def verify(self, name: str, live: bool = False) -> Verification:
        """Build the set again from its snapshots and compare it exactly; with `live`, also say
        which sources have moved on since."""
        return verify_set(self.load(name), self.engine, self.snapshots, live)

    def diff(self, left: str, right: str) -> DatasetDiff:
        """How the second set differs from the first."""
        return compare(self.load(left).manifest, self.load(right).manifest)

    def _check_free(self, name: str, recipe: Recipe) -> None:
        if self.datasets.has(name) and self.load(name).manifest.recipe != recipe:
            raise _taken(name, "it was made by another recipe")

    def _ripe(self, table: pa.Table, spec: TrainingSpec) -> Ripe:
        if spec.maturity is None:
            return Ripe(table, 0)
        return ripe_rows(table, spec.maturity, spec.time_column, spec.time_zone, self.clock())

    def _assemble(
        self, spine: pa.Table, recipe: Recipe
    ) -> tuple[tuple[KeptSource, ...], Assembled]:
        with progress(f"training set {recipe.spec.name}", 2 * len(recipe.views)) as shown:
            kept = keep_sources(recipe.views, self.engine, self.snapshots, shown)
            return kept, assemble(spine, recipe, pin_kept(self.engine, kept), shown)

    def _manifest(
        self,
        recipe: Recipe,
        assembled: Assembled,
        kept: tuple[KeptSource, ...],
        spine: SnapshotFacts,
        state: Published,
    ) -> Manifest:
        described = describe(assembled, recipe, self.limits, self.clock())
        quality, failures = check_quality(recipe.views, kept, self.snapshots, self.quality)
        return Manifest(
            name=recipe.spec.name,
            created_at=self.clock(),
            created_by=self.actor,
            content_hash=content_hash(assembled.table.to_reader()),
            rows=assembled.table.num_rows,
            columns=described.columns,
            recipe=recipe,
            snapshots=(spine, *(one.facts for one in kept)),
            coverage=described.coverage,
            findings=(*described.findings, *failures),
            quality=quality,
            profiles=described.profiles,
            parts=described.parts,
            engine=self.engine.name,
            library=_library(),
            code_revision=code_revision(self.project),
            published_number=state.number,
            namespace=state.namespace,
        )

    def _keep(self, table: pa.Table, manifest: Manifest) -> TrainingSet:
        """Write and register, both or neither; or the same set that is there already."""
        if self.datasets.has(manifest.name):
            known = self.load(manifest.name)
            if known.manifest.content_hash != manifest.content_hash:
                raise _taken(manifest.name, "the same recipe gives other data now")
            return known
        written = self.datasets.write(table, manifest)
        try:
            self.registry.datasets.add(_record(written))
        except BaseException:
            self.datasets.remove(manifest.name)
            raise
        _log(written)
        return written


def _taken(name: str, found: str) -> Refused:
    return Conflict(
        f"a training set named {name!r} exists",
        found,
        "a training set is never changed; choose another name, such as one with a date",
    )


def _record(made: TrainingSet) -> DatasetRecord:
    manifest = made.manifest
    return DatasetRecord(
        name=manifest.name,
        manifest_digest=made.digest,
        created_at=manifest.created_at,
        created_by=manifest.created_by,
        rows=manifest.rows,
        features=tuple(feature.ref for feature in manifest.recipe.features),
        location=str(made.folder),
    )


def _library() -> str:
    """Our version and that of the library that holds the data, for the record."""
    try:
        ours = version("fieldhouse")
    except PackageNotFoundError:  # run from a bare checkout
        ours = "0"
    return f"fieldhouse {ours}, pyarrow {pa.__version__}"


def _log(made: TrainingSet) -> None:
    logger.info(
        f"built training set {made.name}: {made.manifest.rows} rows",
        extra={"action": "training-set-built", "dataset": made.name, "digest": made.digest},
    )
