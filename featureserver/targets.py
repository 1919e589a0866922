"""What a run has to write: which generation of a line, and which spans of time. Pure but for the
journal that it reads."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from featureserver.journal import Journal, Progress
from registry.core.published import PublishedView


@dataclass(frozen=True, slots=True)
class Target:
    """The generation to write. `switch` says that readers are not there yet: it is filled in full
    and then made the live one."""

    generation: int
    switch: bool


@dataclass(frozen=True, slots=True)
class Span:
    """One run's piece of work. `explicit` spans were asked for by their start: they leave the
    generation's own entry in the journal alone, unless they carry it on."""

    progress: Progress
    explicit: bool = False


def choose_target(view: PublishedView, journal: Journal, rebuild: bool) -> Target:
    """The live generation, or the next one for a rebuild, a retirement or one that was begun.

    A next generation that was begun in an older row schema is left, and another one begun.
    """
    ahead = journal.ahead(view.key, view.generation)
    if not (rebuild or view.rebuild or ahead is not None):
        return Target(view.generation, switch=not view.ready)
    if ahead is None:
        return Target(view.generation + 1, switch=True)
    begun = journal.read(view.key, ahead)
    stale = begun is not None and begun.schema != view.row_schema.version
    return Target(ahead + 1 if stale else ahead, switch=True)


def choose_spans(
    view: PublishedView,
    target: Target,
    journal: Journal,
    since: datetime | None,
    until: datetime,
    late: timedelta,
) -> list[Span]:
    """The spans to write, in order; none when all was written before.

    What a killed run left is finished first, as it was begun.
    """
    schema = view.row_schema.version
    held = journal.read(view.key, target.generation)
    if since is not None and not target.switch:
        asked = Progress(since, until, schema)
        return [Span(journal.read_span(view.key, target.generation, asked) or asked, explicit=True)]
    if held is None:
        return [Span(Progress(None, until, schema))]
    spans = [] if held.complete else [Span(held)]
    if held.until - late < until:
        rest = Progress(held.until - late, until, schema)
        spans.append(Span(rest, explicit=until < held.until))
    return spans


def carried_on(held: Progress | None, span: Progress) -> Progress | None:
    """What the generation holds after an explicit span: more when that began before the end."""
    if held is None or not held.complete or span.since is None:
        return None
    if span.since > held.until or span.until <= held.until:
        return None
    return Progress(held.since, span.until, span.schema, None, held.rows + span.rows, True)
