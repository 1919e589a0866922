"""Keeps what a recipe's sources give as snapshots, each source read or evaluated once."""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.core.definitions import Source
from registry.core.published import PublishedView
from registry.kernel.progress import Progress
from training.manifest import SnapshotFacts
from warehouse.asof import check_source
from warehouse.engines.port import Engine
from warehouse.history import history_of
from warehouse.quality_report import columns_needed
from warehouse.snapshots import Snapshot, SnapshotStore


@dataclass(frozen=True, slots=True)
class KeptSource:
    """A source, the columns of it that were kept, and where."""

    source: Source
    columns: tuple[str, ...]
    snapshot: Snapshot

    @property
    def facts(self) -> SnapshotFacts:
        return SnapshotFacts(
            self.source.name,
            self.snapshot.digest,
            self.snapshot.rows,
            self.columns,
            self.source,
        )


def keep_sources(
    views: Iterable[PublishedView],
    engine: Engine,
    store: SnapshotStore,
    progress: Progress | None = None,
) -> tuple[KeptSource, ...]:
    """A snapshot of each source behind the views: keys, times, all their features, and what their
    expectations look at.

    Two views over one source share its snapshot. Raises what the engine does for a source that is
    missing, or lacks a column.
    """
    kept = []
    for source, columns in columns_by_source(views, engine).items():
        with engine.read(source, columns) as reader:
            kept.append(KeptSource(source, columns, store.keep(reader)))
        if progress is not None:
            progress.advance()
    return tuple(kept)


def columns_by_source(
    views: Iterable[PublishedView], engine: Engine
) -> dict[Source, tuple[str, ...]]:
    """The columns to keep of each source, without repeats."""
    wanted: dict[Source, dict[str, None]] = {}
    for view in views:
        history = history_of(view)
        schema = engine.schema(history.source)
        check_source(view, history, schema)
        expected = columns_needed(view.expectations, schema.names)
        columns = dict.fromkeys((*history.columns(), *expected))
        wanted.setdefault(history.source, {}).update(columns)
    return {source: tuple(columns) for source, columns in wanted.items()}


def pin_kept(engine: Engine, kept: Iterable[KeptSource]) -> Engine:
    """The engine, reading snapshots in place of sources."""
    return engine.pinned({one.source: one.snapshot.path for one in kept})
