"""Builds, lists, verifies and compares training sets: chains the other modules, decides little."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from registry.core.findings import Finding
from registry.core.published import Published
from registry.kernel.clock import Clock
from registry.kernel.errors import Conflict, Refused
from registry.kernel.progress import progress
from registry.ports import DatasetRecord, Registry
from training.assemble import Assembled, assemble
from training.checks import Limits
from training.dataset import TrainingSet
from training.describe import describe
from training.diff import DatasetDiff, compare_sets
from training.explain import Explanation, explain_row
from training.garbage import Garbage, collect, referenced
from training.manifest import Manifest, SnapshotFacts, ViewQuality
from training.maturity import Ripe, ripe_rows
from training.quality import (
    QualityPolicy,
    check_built,
    check_sources,
    failures_of,
    refusal,
)
from training.recipe import Recipe, make_recipe
from training.request import Options, make_spec
from training.revision import code_revision
from training.sources import KeptSource, keep_sources, pin_kept
from training.spec import TrainingSpec, check_name, named_features
from training.spine import read_spine, spine_text
from training.stream import BATCH_ROWS, spine_schema, stream_joined
from training.verify import Verification, verify_set
from training.writer import DatasetFolder
from warehouse.content import content_hash
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Built:
    """Rows and manifest before they are kept, and the expectations that fail."""

    table: pa.Table
    manifest: Manifest
    failures: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """Everything that training sets are made with and kept in. `training.bootstrap` makes one."""

    registry: Registry
    engine: Engine
    datasets: DatasetFolder
    quarantine: DatasetFolder
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
        with self.snapshots.building(self._referenced) as snapshots:
            built = self._build(ripe.table, recipe, snapshots, state)
            manifest = replace(built.manifest, immature=ripe.left_out)
            self._hold_to_expectations(replace(built, manifest=manifest))
            return self._keep(built.table, manifest)

    def stream(
        self,
        spine: str | Path,
        features: str | Sequence[str],
        out: Path,
        time_column: str = "event_timestamp",
        rows: int = BATCH_ROWS,
    ) -> int:
        """Join a spine that is too large for memory: Parquet files, `rows` at a time, into one file
        `out`. Answers how many rows it has. No training set is made of it.

        Raises what `build` does for spine and features, and `Misuse` when `out` exists.
        """
        state = self.registry.published()
        refs, service = named_features(features, state)
        spec = TrainingSpec(out.stem, refs, time_column, service=service)
        recipe = make_recipe(spec, state, spine_schema(spine).names)
        return stream_joined(spine, recipe, self.engine, out, rows)

    def collect(self, dry_run: bool = False) -> Garbage:
        """Remove snapshots that no set refers to; see `training.garbage.collect`."""
        return collect((self.datasets, self.quarantine), self.snapshots, dry_run)

    def quality_of(self, name: str) -> TrainingSet:
        """The set of that name, else the one in quarantine."""
        apart = not self.datasets.has(name) and self.quarantine.has(name)
        return self.quarantine.load(name) if apart else self.load(name)

    def load(self, name: str) -> TrainingSet:
        """The training set of that name; raises `NotFound` or `Corrupt`."""
        return self.datasets.load(name)

    def all(self) -> list[TrainingSet]:
        """Every training set of this project, by name."""
        return [self.datasets.load(name) for name in self.datasets.names()]

    def verify(self, name: str, live: bool = False) -> Verification:
        """Build the set again from its snapshots and compare it exactly; with `live`, also say
        which sources have moved on since."""
        made = self.load(name)
        record = next((r for r in self.registry.datasets.all() if r.name == name), None)
        known = None if record is None else record.manifest_digest
        return verify_set(made, self.engine, self.snapshots, live, known)

    def explain(self, name: str, row: int, part: str | None = None) -> Explanation:
        """Where each value of a row came from: source row, event time, created time and age.

        Rows count from 0, those of `part` when one is named. Raises `NotFound`, `Misuse`.
        """
        made = self.load(name)
        table = (made.split(part) if part else made).to_arrow()
        return explain_row(table, row, made.manifest, self.engine, self.snapshots)

    def diff(self, left: str, right: str) -> DatasetDiff:
        """How the second set differs from the first."""
        return compare_sets(self.load(left), self.load(right))

    def _check_free(self, name: str, recipe: Recipe) -> None:
        if self.datasets.has(name) and self.load(name).manifest.recipe != recipe:
            raise _taken(name, "it was made by another recipe")

    def _ripe(self, table: pa.Table, spec: TrainingSpec) -> Ripe:
        if spec.maturity is None:
            return Ripe(table, 0)
        return ripe_rows(table, spec.maturity, spec.time_column, spec.time_zone, self.clock())

    def _build(
        self, spine: pa.Table, recipe: Recipe, snapshots: SnapshotStore, state: Published
    ) -> _Built:
        with progress(f"training set {recipe.spec.name}", 2 * len(recipe.views)) as shown:
            kept = keep_sources(recipe.views, self.engine, snapshots, shown)
            assembled = assemble(spine, recipe, pin_kept(self.engine, kept), shown)
        spine_kept = snapshots.keep(spine.to_reader())
        columns = tuple(spine.column_names)
        facts = SnapshotFacts("spine", spine_kept.digest, spine_kept.rows, columns)
        reports = self._quality(assembled.table, recipe, kept)
        manifest = self._manifest(recipe, assembled, (facts, *(k.facts for k in kept)), state)
        failures = failures_of(reports)
        findings = (*manifest.findings, *failures)
        manifest = replace(manifest, quality=reports, findings=findings)
        return _Built(assembled.table, manifest, tuple(failures))

    def _quality(
        self, table: pa.Table, recipe: Recipe, kept: tuple[KeptSource, ...]
    ) -> tuple[ViewQuality, ...]:
        if self.quality == "off":
            return ()
        return (*check_sources(recipe.views, kept), *check_built(table, recipe))

    def _hold_to_expectations(self, built: _Built) -> None:
        name = built.manifest.name
        if built.failures and self.quality == "block":
            raise refusal(name, built.failures, quarantined=False)
        if built.failures and self.quality == "quarantine":
            self.quarantine.remove(name)
            self.quarantine.write(built.table, built.manifest)
            raise refusal(name, built.failures, quarantined=True)

    def _referenced(self) -> frozenset[str]:
        return referenced((self.datasets, self.quarantine))

    def _manifest(
        self,
        recipe: Recipe,
        assembled: Assembled,
        snapshots: tuple[SnapshotFacts, ...],
        state: Published,
    ) -> Manifest:
        described = describe(assembled, recipe, self.limits, self.clock())
        return Manifest(
            name=recipe.spec.name,
            created_at=self.clock(),
            created_by=self.actor,
            content_hash=content_hash(assembled.table.to_reader()),
            rows=assembled.table.num_rows,
            columns=described.columns,
            recipe=recipe,
            snapshots=snapshots,
            coverage=described.coverage,
            findings=described.findings,
            quality=(),
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
            return self._known(manifest)
        try:
            written = self.datasets.write(table, manifest)
        except Conflict:  # somebody else was building it too, and was first
            return self._known(manifest)
        try:
            self.registry.datasets.add(_record(written))
        except BaseException:
            self.datasets.remove(manifest.name)
            raise
        self.quarantine.remove(manifest.name)
        _log(written)
        return written

    def _known(self, manifest: Manifest) -> TrainingSet:
        """The set of that name, which must be what would be written now."""
        self._check_free(manifest.name, manifest.recipe)
        known = self.load(manifest.name)
        if known.manifest.content_hash != manifest.content_hash:
            raise _taken(manifest.name, "the same recipe gives other data now")
        return known


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


def _log(made: TrainingSet) -> None:
    logger.info(
        f"built training set {made.name}: {made.manifest.rows} rows",
        extra={"action": "training-set-built", "dataset": made.name, "digest": made.digest},
    )
