"""What a plan would publish, beside what is published: for comparing values before anything is
applied. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.core.changes import Change
from registry.core.compiled import Compiled, service_refs
from registry.core.proposals import Proposal
from registry.core.published import Published, PublishedOnDemand, PublishedView
from registry.core.value_diff import (
    ChangedComputed,
    ChangedView,
    ComputedSample,
    ComputedValues,
    ValuesSeen,
)
from registry.kernel.errors import FieldhouseError
from registry.ports import Transaction, ValuePreview
from registry.service.check import Checked, check, check_against
from registry.service.context import Context
from registry.service.outcome import (
    before_and_after,
    newest_computed,
    newest_line,
    stored_inputs,
    touched_views,
)
from registry.service.propose import Standing, standing
from registry.service.publishing import elsewhere
from registry.service.questions import findings_now, still_asked


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


def changed_views(seen: Preview) -> tuple[tuple[ChangedView, ...], tuple[str, ...]]:
    """(stored views with features that mean something else, why others are not compared)."""
    found: list[ChangedView] = []
    notes: list[str] = []
    for name, features in _changed(seen).items():
        old, new = newest_line(seen.before, name), newest_line(seen.after, name)
        if old is None or new is None:
            continue
        both = tuple(f for f in features if old.feature(f) and new.feature(f))
        if both and old.join_keys != new.join_keys:
            notes.append(f"values of {name} are not compared: its join keys change")
        elif both:
            found.append(ChangedView(old, new, both))
    return tuple(found), tuple(notes)


def expected_views(seen: Preview) -> tuple[PublishedView, ...]:
    """New and changed views whose expectations a sample can try."""
    return tuple(touched_views(seen.checked.plan, seen.after))


def changed_computed(seen: Preview) -> tuple[tuple[ChangedComputed, ...], tuple[str, ...]]:
    """(on-demand views with features that mean something else, why others are not compared)."""
    found: list[ChangedComputed] = []
    notes: list[str] = []
    for name, features in _changed(seen).items():
        old, new = newest_computed(seen.before, name), newest_computed(seen.after, name)
        if old is None or new is None:
            continue
        both = tuple(f for f in features if _has(old, f) and _has(new, f))
        try:
            inputs = stored_inputs(seen.before, old), stored_inputs(seen.after, new)
        except FieldhouseError as error:
            notes.append(f"values of {name} are not compared: {error.asked}")
            continue
        if both:
            found.append(ChangedComputed(old, new, both, *inputs))
    return tuple(found), tuple(notes)


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed elsewhere for on-demand views, and why some views were left out."""

    samples: Sequence[ComputedSample] = ()
    values: Sequence[ComputedValues] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def values_seen(seen: Preview, look: ValuePreview, seconds: float, given: Computed) -> ValuesSeen:
    """All that can be said of the values that the plan changes; stored ones are read now, for so
    many seconds."""
    changed, why = changed_views(seen)
    stored = look.look(changed, expected_views(seen), seconds)
    computed, why_not = changed_computed(seen)
    codes = {(c.old, c.new) for c in computed}
    sampled = [s for s in given.samples if (s.old, s.new) in codes]
    found = look.differences(sampled, given.values)
    missing = {c.new.name for c in computed} - {s.new.name for s in sampled}
    unrun = [
        f"values of {name} are not compared: {given.left_out.get(name, 'its code was not run')}"
        for name in sorted(missing)
    ]
    return ValuesSeen(
        (*stored.diffs, *found.diffs),
        stored.broken,
        (*why, *stored.notes, *why_not, *found.notes, *unrun),
    )


def _changed(seen: Preview) -> dict[str, list[str]]:
    """Features that mean something else by the name of their view."""
    names: dict[str, list[str]] = {}
    for change in seen.checked.plan.changes:
        if _changes_values(change):
            view, _, feature = change.name.partition(":")
            names.setdefault(view, []).append(feature)
    return names


def _has(view: PublishedOnDemand, name: str) -> bool:
    return any(feature.name == name for feature in view.features)


def _changes_values(change: Change) -> bool:
    return (change.object, change.action, change.aspect) == ("feature", "change", "meaning")
