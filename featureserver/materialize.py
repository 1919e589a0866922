"""Materialization: the newest offline rows into the online store, incrementally. No HTTP here.

Writing is compare-and-set, so a repeated or interrupted run does no harm. How far each generation
is stands in the journal beside its rows; the registry's watermark moves when a view is whole.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from featureserver.asked import Asked, Ledger, Policy
from featureserver.carry import carry_over
from featureserver.expiry import expire_seconds
from featureserver.journal import Journal
from featureserver.named import known_view
from featureserver.offline import Offline
from featureserver.ports import OnlineStore
from featureserver.profile_files import ProfileFiles
from featureserver.purge import Purged, outlived, purge
from featureserver.reports import MaterializationReport, ViewReport
from featureserver.source_copies import SourceCopies, source_copies
from featureserver.view_run import ViewRun
from registry.core.published import Published, PublishedView
from registry.kernel.clock import Clock
from registry.kernel.errors import Refused

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Materializer:
    """Writes newest rows of views to the online store. `home` keeps copies and profiles."""

    ledger: Ledger
    engine: Offline
    store: OnlineStore
    clock: Clock
    policy: Policy = field(default_factory=Policy)
    home: Path | None = None
    sleep: Sleep = time.sleep

    def run(
        self,
        views: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        actor: str = "",
        rewrite: bool = False,
        rebuild: bool = False,
        dry_run: bool = False,
        parity: bool = True,
    ) -> MaterializationReport:
        """Materialize the named views (every line of each), or all that are online.

        Rows that became visible in (since, until]. `since` None means: from the last run's end,
        less the late-arrival allowance, or from the beginning. `until` None means now. `rewrite`
        writes rows even over newer ones. `rebuild` fills a new generation and switches to it, as a
        retirement asks for by itself. `dry_run` reads and counts only. `parity` compares a sample
        at the end. Raises `NotFound` for an unknown view, `Invalid` for an empty or future span,
        `Misuse` for a rebuild of a span, `Unavailable` when the store is away.
        """
        now = self.clock()
        asked = Asked(since, until or now, actor, rewrite, rebuild, dry_run, parity)
        asked.check(now)
        state, began = self.ledger.published(), time.monotonic()
        chosen = choose_views(state, views)
        with source_copies(self.engine, self.home) as copies:
            reports = self._views(chosen, copies, asked)
        if dry_run:
            return MaterializationReport(reports, actor)
        known = [] if not chosen else self._known(state, reports)
        return MaterializationReport(reports, actor, self._purge(known, began))

    def run_until(
        self,
        views: Sequence[str] | None,
        since: datetime | None,
        until: datetime | None,
        *,
        actor: str,
    ) -> MaterializationReport:
        """`run` for callers whose clock may run ahead: an end in the future means now."""
        now = self.clock()
        return self.run(views, since, min(until or now, now), actor=actor)

    def purge(self) -> tuple[Purged, ...]:
        """Look at every key of the namespace, delete the generations that nobody reads any more,
        once readers have had the time to move, and count that nothing of them is left."""
        namespace = self.ledger.published().namespace
        known = [*self.store.generations(namespace), *self._journal(namespace).generations()]
        return self._purge(known, time.monotonic())

    def _views(
        self, chosen: Sequence[PublishedView], copies: SourceCopies, asked: Asked
    ) -> tuple[ViewReport, ...]:
        """Some at a time. A view that fails with an error lets the others end, then raises."""
        with ThreadPoolExecutor(max(1, self.policy.parallel)) as pool:
            running = [pool.submit(self._view, view, copies, asked) for view in chosen]
        return tuple([future.result() for future in running])

    def _view(self, view: PublishedView, copies: SourceCopies, asked: Asked) -> ViewReport:
        journal = self._journal(view.namespace)
        run = ViewRun(view, self.ledger, copies, self.store, journal, self.policy)
        if self.home is not None:
            profiles = ProfileFiles(self.home / "profiles")
            run = replace(run, profiles=profiles, findings=self.home / "findings")
        return run.run(asked)

    def _journal(self, namespace: str) -> Journal:
        return Journal(self.store, namespace)

    def _known(self, before: Published, reports: Sequence[ViewReport]) -> list[tuple[str, int]]:
        """The generations that this run can tell of: the journal's, and those it switched from."""
        left = [
            (report.view, before.views[report.view].generation)
            for report in reports
            if report.switched
        ]
        return [*self._journal(before.namespace).generations(), *left]

    def _purge(self, known: Sequence[tuple[str, int]], since: float) -> tuple[Purged, ...]:
        state = self.ledger.published()
        doomed = outlived(state, known)
        if not doomed:
            return ()
        self.sleep(max(0.0, self.policy.grace_seconds - (time.monotonic() - since)))
        for view_key, generation in doomed:
            self._take_along(state, view_key, generation)
        return tuple(purge(self.store, self._journal(state.namespace), doomed))

    def _take_along(self, state: Published, view_key: str, generation: int) -> None:
        """Rows that were pushed to the old generation while readers moved."""
        view = state.views.get(view_key)
        if view is not None and view.source.kind in ("push", "stream"):
            expiry = expire_seconds(view, self.policy.retention_seconds)
            carry_over(self.store, view, generation, view.generation, expiry)


def choose_views(state: Published, names: Sequence[str] | None) -> list[PublishedView]:
    """The named views, every line of each, or all online ones. Raises `NotFound`, `Refused`."""
    if names is None:
        return [view for view in state.views.values() if view.online]
    chosen = {view.key: view for name in names for view in known_view(state, name)}
    for view in chosen.values():
        if not view.online:
            raise Refused(f"view {view.name!r} is not online", hint="declare online=True")
    return list(chosen.values())


def check_failed(report: MaterializationReport) -> None:
    """Raise `Refused` naming the views that were stopped and why, if any was."""
    if report.failed:
        raise Refused(
            f"{len(report.failed)} of {len(report.views)} views were stopped",
            "; ".join(f"{view.view}: {view.note}" for view in report.failed),
            "the others are materialized; mend these and run again",
        )
