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
from warehouse.marks import SnapshotMarks
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

    Two views over one source share its snapshot; a source that bears the mark of an earlier build
    is not read again. Raises what the engine does for a source that is missing, or lacks a column.
    """
    marks = SnapshotMarks(store)
    kept = []
    for source, columns in columns_by_source(views, engine).items():
        kept.append(KeptSource(source, columns, _snapshot(source, columns, engine, marks)))
        if progress is not None:
            progress.advance()
    return tuple(kept)


def _snapshot(
    source: Source, columns: tuple[str, ...], engine: Engine, marks: SnapshotMarks
) -> Snapshot:
    """The known snapshot of a source that has not changed, else a new one. Its mark is noted when
    it is the same before and after reading: then what was read is what it stands for."""
    what = [source.kind, source.table or source.name, source.query, columns]
    mark = engine.mark(source)
    known = marks.find(mark, what) if mark is not None else None
    if known is not None:
        return known
    with engine.read(source, columns) as reader:
        snapshot = marks.store.keep(reader)
    if mark is not None and engine.mark(source) == mark:
        marks.note(mark, what, snapshot)
    return snapshot


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
