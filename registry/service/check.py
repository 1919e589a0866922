"""Checking a repository against the registry: its plan and all findings at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from registry.core.changes import Plan
from registry.core.compiled import Compiled, service_refs
from registry.core.duplication import Duplicate, KnownFeature, ValueMatch, duplicates, index_by_key
from registry.core.findings import Finding
from registry.core.moves import Pasts, past_names
from registry.core.planning import plan
from registry.core.readers import Readers, borrowing_readers, index_readers, service_readers
from registry.core.rules.base import Evidence
from registry.core.rules.engine import judge
from registry.core.state import FeatureRecord, NamespaceState, newest_features
from registry.kernel.errors import Refused
from registry.ports import SampleChecker, Transaction
from registry.service.alike import Told, value_matches
from registry.service.context import Context
from registry.service.evidence import stored_results
from registry.service.near import near_matches
from registry.service.outcome import before_and_after
from registry.service.outcome import unmet as unmet_on_samples
from registry.service.publishing import elsewhere

if TYPE_CHECKING:  # numpy is for those who compare values
    from registry.core.similarity.values import ValueSketch

NOTHING_TOLD: Mapping[tuple[str, str], Told] = {}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `refused` says whether an error stands in the way; `sketches` are of the
    new features, where their values could be read."""

    plan: Plan
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...] = ()
    sketches: "tuple[ValueSketch, ...]" = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def refused(self) -> bool:
        return bool(self.errors)


class CheckFailed(Refused):
    """The definitions have findings of severity error; `checked` holds them."""

    def __init__(self, checked: Checked) -> None:
        first = checked.errors[0]
        count = len(checked.errors)
        more = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(f"{first.rule}: {first.message}{more}", hint=first.hint)
        self.checked = checked


def check(
    context: Context,
    compiled: Compiled,
    base: NamespaceState | None = None,
    expectations: SampleChecker | None = None,
) -> Checked:
    """Plan the repository and run every rule over it. Changes nothing.

    `base` is what to compare with instead of what the registry holds; `expectations` tries those of
    new and changed views on a sample.
    """
    with context.store.read() as transaction:
        state = base if base is not None else transaction.state(compiled.namespace)
        readers = readers_of(state, transaction)
        planned = plan(compiled, state, readers, _pasts(compiled, transaction))
        values = value_matches(context, compiled, planned, state, transaction)
        tried: tuple[tuple[str, str], ...] = ()
        if expectations is not None and not planned.empty:
            known = elsewhere(context, transaction, state, service_refs(compiled))
            _, after = before_and_after(compiled, state, planned, context.clock(), known)
            tried = tuple(unmet_on_samples(planned, after, expectations))
        evidence = _evidence(context, compiled, state, planned, readers)
        evidence = _looked_up(context, transaction, evidence)
        evidence = replace(
            evidence, alike=tuple(values.matches), unread=tuple(values.unread.items()), unmet=tried
        )
        judged = _judged(context, evidence, transaction, values.same)
        return replace(judged, sketches=tuple(values.sketches))


def check_against(
    context: Context, compiled: Compiled, state: NamespaceState, transaction: Transaction
) -> Checked:
    """The same by definitions alone, inside a transaction that already holds the state."""
    readers = readers_of(state, transaction)
    planned = plan(compiled, state, readers, _pasts(compiled, transaction))
    evidence = _evidence(context, compiled, state, planned, readers)
    return _judged(context, _looked_up(context, transaction, evidence), transaction)


def _pasts(compiled: Compiled, transaction: Transaction) -> Pasts:
    """The features of other namespaces that were moved here, by whole reference."""
    found: dict[str, FeatureRecord] = {}
    names = {past.partition("/")[0] for past in past_names(compiled).values()}
    for namespace in names - {compiled.namespace}:
        newest = newest_features(transaction.state(namespace))
        found |= {f"{namespace}/{ref}": record for ref, record in newest.items()}
    return found


def _looked_up(context: Context, transaction: Transaction, evidence: Evidence) -> Evidence:
    """The evidence with what other namespaces lend, and what checks stored of features that are to
    change their state."""
    state, newest = evidence.state, newest_features(evidence.state)
    moving = [newest[c.name] for c in evidence.feature_changes("state", "change")]
    refs = service_refs(evidence.compiled)
    return replace(
        evidence,
        lenders=elsewhere(context, transaction, state, refs).lenders,
        results=stored_results(transaction, state.namespace, moving),
    )


def _evidence(
    context: Context, compiled: Compiled, state: NamespaceState, planned: Plan, readers: Readers
) -> Evidence:
    return Evidence(
        compiled=compiled,
        state=state,
        plan=planned,
        readers=readers,
        now=context.clock(),
        interval_seconds=context.interval_seconds,
        tables=context.tables,
    )


def _judged(
    context: Context,
    evidence: Evidence,
    transaction: Transaction,
    told: Mapping[tuple[str, str], Told] = NOTHING_TOLD,
) -> Checked:
    found = _duplicates(evidence.compiled, evidence.plan, transaction)
    repeated = tuple(_with_values(duplicate, told) for duplicate in found)
    near = near_matches(evidence.compiled, evidence.plan, transaction)
    matches: list[Duplicate | ValueMatch] = [*repeated, *evidence.alike]
    pairs = [(m.feature.definition_key, m.other.definition_key) for m in matches]
    whole = replace(
        evidence,
        duplicates=repeated,
        near=tuple(near),
        their_readers=_their_readers(evidence, [m.other for m in matches], transaction),
        answers=transaction.answers(pairs),
    )
    findings = judge(whole, context.severities, context.waivers)
    return Checked(evidence.plan, findings, repeated)


def _with_values(found: Duplicate, told: Mapping[tuple[str, str], Told]) -> Duplicate:
    more, examples = told.get((found.feature.ref, found.other.ref), ("", ()))
    return replace(found, more=more, examples=examples)


def _their_readers(
    evidence: Evidence, others: Iterable[KnownFeature], transaction: Transaction
) -> Readers:
    """The readers of what new features repeat, of whatever namespace, by whole reference."""
    found: dict[str, Readers] = {evidence.state.namespace: evidence.readers}
    for name in {other.namespace for other in others} - set(found):
        services = NamespaceState(name, services=transaction.services(name))
        found[name] = readers_of(services, transaction)
    return {o.ref: found[o.namespace].get(o.ref.partition("/")[2], ()) for o in others}


def readers_of(state: NamespaceState, transaction: Transaction) -> Readers:
    """Every reader of the namespace's features, of other namespaces too: services, training sets,
    models and callers."""
    abroad = borrowing_readers(state.namespace, transaction.borrowers(state.namespace))
    books = transaction.readers(state.namespace)
    return index_readers([*service_readers(state), *abroad, *books])


def _duplicates(compiled: Compiled, planned: Plan, transaction: Transaction) -> list[Duplicate]:
    fresh = [
        c.name
        for c in planned.changes
        if c.object == "feature" and c.aspect == "meaning" and c.action in ("add", "change")
    ]
    keys = sorted({compiled.features[ref].definition_key for ref in fresh})
    proposed = [feature.shown for feature in transaction.proposed_by_key(keys)]
    return duplicates(compiled, index_by_key([*transaction.known_by_key(keys), *proposed]), fresh)
