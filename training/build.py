"""Builds, lists, verifies and compares training sets: chains the other modules, decides little."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from registry.core.published import Published
from registry.kernel.clock import Clock
from registry.kernel.errors import Conflict, Refused
from registry.kernel.progress import progress
from registry.ports import Principal, Registry
from training.checks import Limits
from training.compare import Room
from training.dataset import TrainingSet
from training.describe import Describing
from training.diff import DatasetDiff, compare_sets
from training.explain import Explanation, explain_row
from training.garbage import Garbage, collect, referenced
from training.kept_spine import keep_spine
from training.manifest import Manifest, SnapshotFacts, ViewQuality
from training.quality import (
    QualityPolicy,
    check_built,
    check_sources,
    failures_of,
    refusal,
)
from training.recipe import Recipe, make_recipe
from training.record import Circumstances, manifest_of, record_of
from training.removal import remove_set
from training.request import Options, make_spec
from training.revision import code_revision
from training.sources import KeptSource, keep_sources, pin_kept
from training.spec import TrainingSpec, check_name, named_features
from training.spine import open_spine, spine_text
from training.spine_times import check_times
from training.stream import join_batches, read_batches, rows_at_once, stream_joined
from training.verify import Verification, verify_set
from training.writer import DatasetFolder, Draft
from warehouse.engines.port import Engine
from warehouse.snapshots import SnapshotStore

logger = logging.getLogger(__name__)


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
    batch_bytes: int = 1 << 30

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
        with open_spine(spine, self.engine) as reader:
            recipe = make_recipe(spec, state, reader.schema.names)
            self._check_free(name, recipe)
            with self.snapshots.building(self._referenced) as snapshots:
                return self._build(reader, recipe, snapshots, state)

    def stream(
        self,
        spine: Any,
        features: str | Sequence[str],
        out: Path,
        time_column: str = "event_timestamp",
        rows: int | None = None,
    ) -> int:
        """Join a spine, `rows` of it at a time, into one Parquet file `out`. Answers how many rows
        it has. No training set is made of it.

        Raises what `build` does for spine and features, and `Misuse` when `out` exists.
        """
        state = self.registry.published()
        refs, service = named_features(features, state)
        spec = TrainingSpec(out.stem, refs, time_column, service=service)
        with open_spine(spine, self.engine) as reader:
            recipe = make_recipe(spec, state, reader.schema.names)
            reader = check_times(reader, time_column, spec.time_zone, self.clock())
            most = rows or rows_at_once(recipe, reader.schema, self.batch_bytes)
            return stream_joined(reader, recipe, self.engine, out, most)

    def collect(self, dry_run: bool = False) -> Garbage:
        """Remove snapshots that no set refers to; see `training.garbage.collect`."""
        return collect((self.datasets, self.quarantine), self.snapshots, dry_run)

    def remove(self, name: str, principal: Principal, reason: str) -> None:
        """Remove a set for good; see `training.removal.remove_set`."""
        remove_set(name, self.registry, self.datasets, self.quarantine, principal, reason)

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
        return verify_set(made, self.engine, self.snapshots, self.batch_bytes, live, known)

    def explain(self, name: str, row: int, part: str | None = None) -> Explanation:
        """Where each value of a row came from: source row, event time, created time and age.

        Rows count from 0, those of `part` when one is named. Raises `NotFound`, `Misuse`.
        """
        made = self.load(name)
        one = (made.split(part) if part else made).row(row)
        return explain_row(one, row, made.manifest, self.engine, self.snapshots)

    def diff(self, left: str, right: str) -> DatasetDiff:
        """How the second set differs from the first."""
        room = Room(self.datasets.root, self.batch_bytes)
        return compare_sets(self.load(left), self.load(right), room)

    def _check_free(self, name: str, recipe: Recipe) -> None:
        if self.datasets.has(name) and self.load(name).manifest.recipe != recipe:
            raise _taken(name, "it was made by another recipe")

    def _build(
        self,
        spine: pa.RecordBatchReader,
        recipe: Recipe,
        snapshots: SnapshotStore,
        state: Published,
    ) -> TrainingSet:
        """Keep spine and sources, then build the rows from what was kept, as `verify` does."""
        spec = recipe.spec
        kept = keep_spine(spine, spec, snapshots, self.clock())
        kept_spine = kept.snapshot
        columns = tuple(spine.schema.names)
        facts = SnapshotFacts("spine", kept_spine.digest, kept_spine.rows, columns)
        rows = rows_at_once(recipe, spine.schema, self.batch_bytes)
        steps = len(recipe.views) * (1 + max(1, -(-kept_spine.rows // rows)))
        with (
            progress(f"training set {spec.name}", steps) as shown,
            self.datasets.draft() as draft,
        ):
            sources = keep_sources(recipe.views, self.engine, snapshots, shown)
            describing = Describing(recipe, self.limits, self.clock(), kept_spine.rows)
            with read_batches(kept_spine.path) as batches:
                pinned = pin_kept(self.engine, sources)
                for made in join_batches(batches, recipe, pinned, rows, shown):
                    describing.add(made)
                    draft.write(made.table)
            draft.close()
            manifest = manifest_of(
                recipe,
                describing.done(),
                (facts, *(one.facts for one in sources)),
                self._quality(draft.data, recipe, sources),
                self._around(state),
                kept.left_out,
            )
            self._hold_to_expectations(draft, manifest)
            return self._keep(draft, manifest)

    def _around(self, state: Published) -> Circumstances:
        return Circumstances(
            now=self.clock(),
            actor=self.actor,
            engine=self.engine.name,
            code_revision=code_revision(self.project),
            published_number=state.number,
            namespace=state.namespace,
        )

    def _quality(
        self, data: Path, recipe: Recipe, kept: tuple[KeptSource, ...]
    ) -> tuple[ViewQuality, ...]:
        if self.quality == "off":
            return ()
        return (*check_sources(recipe.views, kept), *check_built(data, recipe))

    def _hold_to_expectations(self, draft: Draft, manifest: Manifest) -> None:
        failures = failures_of(manifest.quality)
        if failures and self.quality == "block":
            raise refusal(manifest.name, failures, quarantined=False)
        if failures and self.quality == "quarantine":
            self.quarantine.remove(manifest.name)
            draft.keep(manifest, self.quarantine)
            raise refusal(manifest.name, failures, quarantined=True)

    def _referenced(self) -> frozenset[str]:
        return referenced((self.datasets, self.quarantine))

    def _keep(self, draft: Draft, manifest: Manifest) -> TrainingSet:
        """Put in its place and register, both or neither; or the same set that is there already."""
        if self.datasets.has(manifest.name):
            return self._known(manifest)
        try:
            written = draft.keep(manifest, self.datasets)
        except Conflict:  # somebody else was building it too, and was first
            return self._known(manifest)
        try:
            self.registry.datasets.add(record_of(written))
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


def _log(made: TrainingSet) -> None:
    logger.info(
        f"built training set {made.name}: {made.manifest.rows} rows",
        extra={"action": "training-set-built", "dataset": made.name, "digest": made.digest},
    )
