"""What applying a plan would publish: for looking at values before anything is applied."""

from collections.abc import Iterator
from datetime import datetime

from registry.core.apply import apply_plan
from registry.core.borrowing import NOTHING_ELSEWHERE, Elsewhere
from registry.core.changes import Plan
from registry.core.compiled import Compiled
from registry.core.publish import publish
from registry.core.published import Published, PublishedOnDemand, PublishedView
from registry.core.state import NamespaceState
from registry.kernel.errors import FieldhouseError, Refused
from registry.ports import SampleChecker


def before_and_after(
    compiled: Compiled,
    state: NamespaceState,
    planned: Plan,
    now: datetime,
    known: Elsewhere = NOTHING_ELSEWHERE,
) -> tuple[Published, Published]:
    """What is published, and what would be; the same twice where the plan leads nowhere."""
    before = publish(state, now, known.lenders)
    try:
        after = apply_plan(planned, compiled, state, now, known)
        return before, publish(after, now, known.lenders)
    except FieldhouseError:  # a refused plan need not lead anywhere
        return before, before


def touched_views(planned: Plan, after: Published) -> Iterator[PublishedView]:
    """The newest lines of new and changed views that have expectations."""
    touched = dict.fromkeys(
        change.name.split(":")[0]
        for change in planned.changes
        if change.object in ("feature", "view") and change.aspect in ("meaning", "definition")
    )
    for name in touched:
        view = newest_line(after, name)
        if view is not None and view.expectations:
            yield view


def newest_line(published: Published, name: str) -> PublishedView | None:
    """The line of a view that was opened last."""
    lines = [view for view in published.views.values() if view.name == name]
    return max(lines, key=lambda view: view.line, default=None)


def newest_computed(published: Published, name: str) -> PublishedOnDemand | None:
    """The line of an on-demand view that was opened last."""
    lines = [view for view in published.on_demand.values() if view.name == name]
    return max(lines, key=lambda view: view.line, default=None)


def stored_inputs(published: Published, view: PublishedOnDemand) -> dict[str, PublishedView]:
    """The stored view that holds each input. Raises `Refused` for one that is computed itself."""
    found = {}
    for text in view.inputs:
        pin = published.resolve(text)
        if pin.on_demand:
            raise Refused(f"its input {text} is computed itself")
        found[text] = published.view(pin.view)
    return found


def unmet(planned: Plan, after: Published, check: SampleChecker) -> Iterator[tuple[str, str]]:
    """(view, sentence) for each expectation that a sample does not meet. What cannot be read is
    left out: other rules speak of missing tables and columns."""
    for view in touched_views(planned, after):
        try:
            sentences = check(view)
        except FieldhouseError:
            continue
        for sentence in sentences:
            yield view.name, sentence
