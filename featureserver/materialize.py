"""Materialization: the newest offline rows into the online store, incrementally. No HTTP here.

Writing is compare-and-set, so a repeated or interrupted run does no harm: the watermark moves only
when all rows of a view are written.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pyarrow as pa

from featureserver.columns import BatchPacker
from featureserver.plan import known_view
from featureserver.ports import OnlineStore
from registry.core.published import Published, PublishedView
from registry.kernel.clock import Clock
from registry.kernel.errors import Invalid, Refused
from registry.kernel.progress import progress
from registry.ports import PublishedReader, Watermark, WatermarkBook

logger = logging.getLogger(__name__)
ROWS_PER_WRITE = 16384


class LatestRows(Protocol):
    """The part of a warehouse engine that materialization needs."""

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader: ...


@dataclass(frozen=True, slots=True)
class ViewReport:
    """One view's run: rows read in (since, until], how many of them were newer and written, how
    many had a null key or event time. `note` says why a view was left out."""

    view: str
    rows: int
    written: int
    skipped: int
    seconds: float
    since: datetime | None
    until: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class MaterializationReport:
    """What one run did, view by view."""

    views: tuple[ViewReport, ...]
    actor: str

    @property
    def rows(self) -> int:
        return sum(view.rows for view in self.views)

    @property
    def seconds(self) -> float:
        return sum(view.seconds for view in self.views)


@dataclass(frozen=True, slots=True)
class Policy:
    """How the store is written: seconds a row outlives its ttl in Redis (0: it stays), and how far
    an incremental run reaches back behind the last one's end."""

    retention_seconds: float = 0.0
    late_arrival_seconds: float = 3600.0


class Materializer:
    """Writes newest rows of views to the online store."""

    def __init__(
        self,
        published: PublishedReader,
        watermarks: WatermarkBook,
        engine: LatestRows,
        store: OnlineStore,
        clock: Clock,
        policy: Policy | None = None,
    ) -> None:
        self._published = published
        self._watermarks = watermarks
        self._engine = engine
        self._store = store
        self._clock = clock
        self._policy = policy or Policy()

    def run(
        self,
        views: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        actor: str = "",
        rewrite: bool = False,
    ) -> MaterializationReport:
        """Materialize the named views (every line of each), or all that are online.

        Rows that became visible in (since, until]. `since` None means: from the last run's end,
        less the late-arrival allowance, or from the beginning. `until` None means now. `rewrite`
        writes rows even over newer ones. Raises `NotFound` for an unknown view, `Invalid` for an
        empty or future span, `Unavailable` when the store is away.
        """
        now = self._clock()
        end = until or now
        _check_span(since, end, now)
        chosen = choose_views(self._published(), views)
        reports = tuple(self._view(view, since, end, rewrite) for view in chosen)
        return MaterializationReport(reports, actor)

    def run_until(
        self,
        views: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        *,
        actor: str,
    ) -> MaterializationReport:
        """`run` for callers whose clock may run ahead: an end in the future means now."""
        now = self._clock()
        return self.run(views, since, min(until or now, now), actor=actor)

    def _view(
        self, view: PublishedView, since: datetime | None, until: datetime, rewrite: bool
    ) -> ViewReport:
        started = time.perf_counter()
        if view.source.history.kind in ("push", "request", "stream"):
            note = f"source {view.source.name!r} has no history to read; values are pushed"
            return ViewReport(view.key, 0, 0, 0, 0.0, since, until, note)
        mark = self._watermarks.read(view.key, view.generation)
        begin = since if since is not None else self._resume(mark)
        rows, written, skipped = self._write(view, begin, until, rewrite)
        if _extends(mark, since, until):
            total = (mark.rows if mark else 0) + written
            self._watermarks.write(Watermark(view.key, view.generation, until, total))
        seconds = time.perf_counter() - started
        logger.info(
            f"materialized {rows} rows of {view.key}",
            extra={
                "action": "materialize:view",
                "view": view.key,
                "rows": rows,
                "written": written,
                "seconds": round(seconds, 3),
            },
        )
        return ViewReport(view.key, rows, written, skipped, seconds, begin, until)

    def _resume(self, mark: Watermark | None) -> datetime | None:
        if mark is None:
            return None
        return mark.until - timedelta(seconds=self._policy.late_arrival_seconds)

    def _write(
        self, view: PublishedView, since: datetime | None, until: datetime, rewrite: bool
    ) -> tuple[int, int, int]:
        packer, expiry = BatchPacker(view), expire_seconds(view, self._policy.retention_seconds)
        rows = written = skipped = 0
        with (
            progress(f"materialize {view.key}") as shown,
            self._engine.latest(view, since=since, until=until) as batches,
        ):
            for batch in in_chunks(batches):
                packed = packer.pack(batch)
                written += self._store.write(
                    packed.keys, packed.rows, expire_seconds=expiry, rewrite=rewrite
                )
                rows += batch.num_rows
                skipped += packed.skipped
                shown.advance(batch.num_rows)
        return rows, written, skipped


def choose_views(state: Published, names: Sequence[str] | None) -> list[PublishedView]:
    """The named views, every line of each, or all online ones. Raises `NotFound`, `Refused`."""
    if names is None:
        return [view for view in state.views.values() if view.online]
    chosen = {view.key: view for name in names for view in known_view(state, name)}
    for view in chosen.values():
        if not view.online:
            raise Refused(f"view {view.name!r} is not online", hint="declare online=True")
    return list(chosen.values())


def expire_seconds(view: PublishedView, retention_seconds: float) -> float | None:
    """How long Redis keeps a row of the view: ttl plus retention, or for ever.

    For ever without a ttl or a retention, and where a policy must still return the last value.
    """
    keeps_last = any(feature.staleness == "last" for feature in view.features)
    if view.ttl_seconds is None or retention_seconds <= 0 or keeps_last:
        return None
    return view.ttl_seconds + retention_seconds


def in_chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, cut so that memory stays bounded."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_PER_WRITE):
            yield batch.slice(start, ROWS_PER_WRITE)


def _extends(mark: Watermark | None, since: datetime | None, until: datetime) -> bool:
    """Whether everything visible before `until` is now online: no gap, and no step back."""
    if mark is None:
        return since is None
    return until > mark.until and (since is None or since <= mark.until)


def _check_span(since: datetime | None, until: datetime, now: datetime) -> None:
    if since is not None and since >= until:
        raise Invalid("the span is empty", f"since {since.isoformat()} until {until.isoformat()}")
    if until > now:
        raise Invalid(
            f"until {until.isoformat()} is in the future",
            f"it is {now.isoformat()}",
            "leave it out to materialize until now",
        )
