"""What a materialization says of itself. Values only."""

from dataclasses import dataclass
from datetime import datetime

from featureserver.purge import Purged
from registry.kernel.clock import format_instant
from registry.kernel.output import table_text


@dataclass(frozen=True, slots=True)
class ViewReport:
    """One view's run: rows read in (since, until], how many of them were newer and written, how
    many had a null key or event time.

    `seconds` are for reading, packing and writing; quality, sketches and parity are told apart.
    `compared` and `differing` are parity's counts. `switched` says that readers moved to
    `generation`, `resumed` that a killed run was carried on, `failed` that the view was stopped;
    `note` says why, or why it was left out.
    """

    view: str
    rows: int
    written: int
    skipped: int
    seconds: float
    since: datetime | None
    until: datetime
    note: str = ""
    generation: int = 1
    switched: bool = False
    resumed: bool = False
    failed: bool = False
    compared: int = 0
    differing: int = 0
    quality_seconds: float = 0.0
    sketch_seconds: float = 0.0
    parity_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class MaterializationReport:
    """What one run did, view by view, and the generations that were deleted at its end."""

    views: tuple[ViewReport, ...]
    actor: str
    purged: tuple[Purged, ...] = ()

    @property
    def rows(self) -> int:
        return sum(view.rows for view in self.views)

    @property
    def seconds(self) -> float:
        return sum(view.seconds for view in self.views)

    @property
    def failed(self) -> tuple[ViewReport, ...]:
        """The views that were stopped."""
        return tuple(view for view in self.views if view.failed)


def report_text(report: MaterializationReport) -> str:
    """The report as a table for a person."""
    headers = ["view", "gen", "rows", "written", "seconds", "since", "until", "parity", "state"]
    return table_text(headers, [_line(view) for view in report.views])


def _line(view: ViewReport) -> list[object]:
    since = format_instant(view.since) if view.since is not None else "the beginning"
    compared = f"{view.compared - view.differing}/{view.compared}" if view.compared else "-"
    state = "stopped" if view.failed else "switched" if view.switched else "done"
    return [
        view.view,
        view.generation,
        view.rows,
        view.written,
        round(view.seconds, 2),
        since,
        format_instant(view.until),
        compared,
        state,
    ]
