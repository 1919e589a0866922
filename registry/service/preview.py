"""What a plan would publish, beside what is published: for comparing values before anything is
applied. Changes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Thread
from typing import TypeVar

from registry.core.changes import Change
from registry.core.compiled import Compiled, service_refs
from registry.core.proposals import Proposal
from registry.core.published import Published, PublishedView
from registry.core.value_diff import ValueDiff
from registry.kernel.errors import FieldhouseError
from registry.ports import SampleChecker, Transaction, ValueComparer
from registry.service.check import Checked, check, check_against
from registry.service.context import Context
from registry.service.outcome import before_and_after, newest_line, touched_views
from registry.service.propose import Standing, standing
from registry.service.publishing import elsewhere
from registry.service.questions import findings_now, still_asked

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preview:
    """A check, the proposal of that plan if there is one, and the views before and after."""

    checked: Checked
    stands: Standing | None
    before: Published
    after: Published


def preview(context: Context, compiled: Compiled, with_values: bool = False) -> Preview:
    """Check the repository and work out what it would publish.

    What values say of look-alikes is taken from the proposal of this plan; where there is none, as
    when it was refused, they are compared now if `with_values`.
    """
    with context.store.read() as transaction:
        state = transaction.state(compiled.namespace)
        checked = check_against(context, compiled, state, transaction)
        found = [
            p for p in transaction.pending(compiled.namespace) if p.digest == checked.plan.digest
        ]
        stands = standing(context, transaction, found[0]) if found else None
        if found:
            checked = _with_kept(context, transaction, checked, found[0])
        elif with_values:
            checked = check(context, compiled)
        known = elsewhere(context, transaction, state, service_refs(compiled))
    now = context.clock()
    return Preview(checked, stands, *before_and_after(compiled, state, checked.plan, now, known))


def _with_kept(
    context: Context, transaction: Transaction, checked: Checked, proposal: Proposal
) -> Checked:
    """The check by definitions, with what the proposal's own check found by values."""
    findings = still_asked(proposal.findings, checked.findings)
    return replace(checked, findings=findings_now(context, transaction, findings))


def value_diffs(
    seen: Preview, compare: ValueComparer, seconds: float
) -> tuple[tuple[ValueDiff, ...], tuple[str, ...]]:
    """(diffs of stored features whose meaning changes, why others have none).

    All comparisons together get that many seconds.
    """

    def work() -> tuple[list[ValueDiff], list[str]]:
        diffs: list[ValueDiff] = []
        notes: list[str] = []
        for old, new, names in _changed_views(seen):
            if old.join_keys != new.join_keys:
                notes.append(f"values of {new.name} are not compared: its join keys change")
                continue
            try:
                diffs += compare(old, new, names)
            except FieldhouseError as error:
                notes.append(f"values of {new.name} are not compared: {error.asked}")
        return diffs, notes

    done = _within(seconds, work)
    if done is None:
        return (), (f"values are not compared: it took longer than {seconds:g} s",)
    return tuple(done[0]), tuple(done[1])


def broken_expectations(
    seen: Preview, check: SampleChecker, seconds: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(expectations of new and changed views that a sample does not meet, why some were not
    tried)."""

    def work() -> tuple[list[str], list[str]]:
        broken: list[str] = []
        notes: list[str] = []
        for view in touched_views(seen.checked.plan, seen.after):
            try:
                broken += [f"{view.name}: {sentence}" for sentence in check(view)]
            except FieldhouseError as error:
                notes.append(f"expectations of {view.name} are not tried: {error.asked}")
        return broken, notes

    done = _within(seconds, work)
    if done is None:
        return (), (f"expectations are not tried: it took longer than {seconds:g} s",)
    return tuple(done[0]), tuple(done[1])


def _changed_views(seen: Preview) -> Iterator[tuple[PublishedView, PublishedView, Sequence[str]]]:
    """(the newest line before, the one after, its features that mean something else)."""
    names: dict[str, list[str]] = {}
    for change in seen.checked.plan.changes:
        if _changes_values(change):
            view, _, feature = change.name.partition(":")
            names.setdefault(view, []).append(feature)
    for view, features in names.items():
        old, new = newest_line(seen.before, view), newest_line(seen.after, view)
        if old is None or new is None:
            continue
        both = [f for f in features if old.feature(f) and new.feature(f)]
        if both:
            yield old, new, both


def _changes_values(change: Change) -> bool:
    return (change.object, change.action, change.aspect) == ("feature", "change", "meaning")


def _within(seconds: float, work: Callable[[], T]) -> T | None:
    """What the work gives, or None when it is not done in time; it is then left to itself."""
    given: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return given[0] if given else None
