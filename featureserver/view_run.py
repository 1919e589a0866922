"""One view's materialization, start to end: quality, rows, parity, switch. No choice of views."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from featureserver.asked import Asked, Ledger, Policy
from featureserver.carry import carry_over, has_history, pushed
from featureserver.expiry import expire_seconds
from featureserver.fill import Filled, Filler
from featureserver.journal import Journal, Progress
from featureserver.offline import Offline
from featureserver.parity import check_generation
from featureserver.ports import OnlineStore
from featureserver.profile_files import ProfileFiles, ViewProfile
from featureserver.quality_gate import failures, named_in
from featureserver.reports import ViewReport
from featureserver.source_copies import SourceCopies
from featureserver.targets import Span, Target, carried_on, choose_spans, choose_target
from registry.core.lifecycle import CheckKind
from registry.core.published import PublishedView
from registry.kernel.errors import FieldhouseError, NotFound
from registry.ports import Watermark

logger = logging.getLogger(__name__)
_TRUSTED = ("production", "deprecated")


@dataclass(frozen=True, slots=True)
class ViewRun:
    """Everything that one view's run works with."""

    view: PublishedView
    ledger: Ledger
    copies: SourceCopies
    store: OnlineStore
    journal: Journal
    policy: Policy
    profiles: ProfileFiles | None = None
    findings: Path | None = None

    def run(self, asked: Asked) -> ViewReport:
        """Write the view's generation and, where readers are not there yet, switch them to it."""
        target = choose_target(self.view, self.journal, asked.rebuild)
        filling = self.view.at(target.generation)
        late = timedelta(seconds=self.policy.late_arrival_seconds)
        report = ViewReport(
            self.view.key, 0, 0, 0, 0.0, asked.since, asked.until, generation=target.generation
        )
        if not has_history(self.view):
            return self._pushed_only(filling, target, asked, report)
        spans = choose_spans(self.view, target, self.journal, asked.since, asked.until, late)
        if spans:
            report = replace(
                report, since=spans[-1].progress.since, resumed=spans[0].progress.after is not None
            )
        engine = self.copies.engine_for(self.view)
        if asked.dry_run:
            return self._counted(engine, filling, spans, report)
        report = self._checked(asked, report)
        if report.failed:
            return report
        report = self._filled(engine, filling, target, spans, asked, report)
        return self._sketched(engine, self._ended(engine, filling, target, asked, report))

    def _sketched(self, engine: Offline, report: ViewReport) -> ViewReport:
        """Refresh what duplicates are found by, where there were new rows. No reason to fail."""
        if self.ledger.sketches is None or report.failed or not report.rows:
            return report
        started = time.perf_counter()
        try:
            self.ledger.sketches(engine, self.view)
        except FieldhouseError as error:
            more = {"action": "sketches:failed", "view": self.view.key}
            logger.warning(f"{self.view.key} was not sketched: {error}", extra=more)
        seconds = report.sketch_seconds + time.perf_counter() - started
        return replace(report, sketch_seconds=seconds)

    def _counted(
        self, engine: Offline, view: PublishedView, spans: Sequence[Span], report: ViewReport
    ) -> ViewReport:
        """How many rows a run would read; writes nothing."""
        bare = replace(view, features=())
        rows = 0
        for span in spans:
            since, until = span.progress.since, span.progress.until
            with engine.latest(bare, since=since, until=until) as batches:
                rows += sum(batch.num_rows for batch in batches)
        return replace(report, rows=rows, note="nothing was written")

    def _checked(self, asked: Asked, report: ViewReport) -> ViewReport:
        """The view's expectations, and what follows when one fails."""
        started = time.perf_counter()
        failed = failures(self.copies, self.view, self.findings)
        report = replace(report, quality_seconds=time.perf_counter() - started)
        self._store_results("quality", failed, asked.actor)
        if not failed:
            return report
        said = "quality: " + "; ".join(failed)
        logger.warning(
            f"{self.view.key}: {said}", extra={"action": "quality:failed", "view": self.view.key}
        )
        if self.policy.on_failed_quality == "warn":
            return replace(report, note=said)
        if self.policy.on_failed_quality == "quarantine":
            said += self._quarantined(failed, asked.actor)
        return replace(report, failed=True, note=said)

    def _store_results(self, kind: CheckKind, failed: Sequence[str], actor: str) -> None:
        if self.ledger.results is not None:
            self.ledger.results(self.view, kind, failed, actor)

    def _quarantined(self, failed: Sequence[str], actor: str) -> str:
        if self.ledger.quarantine is None:
            return ""
        names = set(named_in(failed, self.view))
        chosen = [f for f in self.view.features if f.name in names and f.state in _TRUSTED]
        for feature in chosen:
            ref = f"{self.view.name}:{feature.name}@{feature.version}"
            self.ledger.quarantine(ref, "; ".join(failed), actor)
        return f"; quarantined: {', '.join(f.name for f in chosen) or 'nothing'}"

    def _filled(
        self,
        engine: Offline,
        view: PublishedView,
        target: Target,
        spans: Sequence[Span],
        asked: Asked,
        report: ViewReport,
    ) -> ViewReport:
        started = time.perf_counter()
        expiry = expire_seconds(view, self.policy.retention_seconds)
        filler = Filler(view, engine, self.store, expiry, asked.rewrite, self.policy.profile)
        total = Filled()
        for span in spans:
            total.add(filler.fill(span.progress, partial(self._note, target, span)))
        if pushed(self.view) and target.generation != self.view.generation:
            live = self.view.generation
            total.written += carry_over(self.store, view, live, view.generation, expiry)
        self._keep_profile(view, total, report)
        seconds = time.perf_counter() - started - total.profile_seconds
        self._mark(target, total.written + sum(span.progress.rows for span in spans))
        self._log(total, seconds)
        return replace(
            report,
            rows=total.rows,
            written=total.written,
            skipped=total.skipped,
            seconds=seconds,
            sketch_seconds=total.profile_seconds,
        )

    def _note(self, target: Target, span: Span, progress: Progress) -> None:
        key, generation = self.view.key, target.generation
        if not span.explicit:
            self.journal.write(key, generation, progress)
            return
        self.journal.write_span(key, generation, progress)
        more = carried_on(self.journal.read(key, generation), progress)
        if progress.complete and more is not None:
            self.journal.write(key, generation, more)

    def _mark(self, target: Target, written: int) -> None:
        """Tell the registry how far the generation is, when it is further than it knows."""
        held = self.journal.read(self.view.key, target.generation)
        mark = self.ledger.watermarks.read(self.view.key, target.generation)
        if held is not None and held.complete and (mark is None or held.until > mark.until):
            total = (mark.rows if mark is not None else 0) + written
            self.ledger.watermarks.write(
                Watermark(self.view.key, target.generation, held.until, total)
            )

    def _keep_profile(self, view: PublishedView, total: Filled, report: ViewReport) -> None:
        if self.profiles is None or not total.profiles:
            return
        made = ViewProfile(
            view.key, view.generation, report.since, report.until, total.rows, total.profiles
        )
        self.profiles.keep(view, made)

    def _ended(
        self,
        engine: Offline,
        view: PublishedView,
        target: Target,
        asked: Asked,
        report: ViewReport,
    ) -> ViewReport:
        """Parity on what was written, and then the switch: never to values that differ."""
        held = self.journal.read(view.key, target.generation)
        if held is None or not held.complete:
            return report
        if asked.parity and asked.since is None and not pushed(view):
            report = self._compared(engine, view, held, asked, target, report)
        if target.switch and not report.failed:
            return self._switched(target, asked, report)
        return report

    def _switched(self, target: Target, asked: Asked, report: ViewReport) -> ViewReport:
        """Make the generation live, unless nobody needs the line any more: another may have become
        ready meanwhile that holds all of its features."""
        try:
            self.ledger.switch_generation(self.view.key, target.generation, asked.actor)
        except NotFound:
            return replace(report, note="the line was retired while it was being written")
        return replace(report, switched=True)

    def _compared(
        self,
        engine: Offline,
        view: PublishedView,
        held: Progress,
        asked: Asked,
        target: Target,
        report: ViewReport,
    ) -> ViewReport:
        started = time.perf_counter()
        found = check_generation(engine, self.store, view, held.until, self.policy.parity_keys)
        report = replace(
            report,
            compared=found.compared,
            differing=found.differing,
            parity_seconds=time.perf_counter() - started,
        )
        if not target.switch:  # what readers have not got yet says nothing of what they have
            self._store_results("parity", found.sentences, asked.actor)
        if not found.differing:
            return report
        note = f"parity: {found.differing} of {found.compared} values differ, such as "
        note += f"{found.examples[0].feature} of {dict(found.examples[0].entity)}"
        if self.policy.on_failed_quality == "quarantine" and not target.switch:
            note += self._quarantined(found.sentences, asked.actor)
        return replace(report, failed=True, note=note)

    def _pushed_only(
        self, view: PublishedView, target: Target, asked: Asked, report: ViewReport
    ) -> ViewReport:
        """There is nothing to read; a new generation takes along what was pushed."""
        note = f"source {view.source.name!r} has no history to read; values are pushed"
        report = replace(report, note=note)
        if asked.dry_run or not target.switch:
            return report
        if target.generation != self.view.generation:
            expiry = expire_seconds(view, self.policy.retention_seconds)
            live = self.view.generation
            written = carry_over(self.store, view, live, view.generation, expiry)
            report = replace(report, written=written)
        return self._switched(target, asked, report)

    def _log(self, total: Filled, seconds: float) -> None:
        logger.info(
            f"materialized {total.rows} rows of {self.view.key}",
            extra={
                "action": "materialize:view",
                "view": self.view.key,
                "rows": total.rows,
                "written": total.written,
                "seconds": round(seconds, 3),
            },
        )
