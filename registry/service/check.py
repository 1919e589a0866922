"""Checking a repository against the registry: its plan and all findings at once."""

from dataclasses import dataclass

from registry.core.changes import Plan, plan
from registry.core.compiled import Compiled
from registry.core.duplication import Duplicate, duplicates, index_by_key
from registry.core.findings import Finding
from registry.core.readers import Readers, index_readers, service_readers
from registry.core.rules.base import Evidence
from registry.core.rules.engine import judge
from registry.core.state import NamespaceState
from registry.kernel.errors import Refused
from registry.ports import SampleChecker, Transaction
from registry.service.alike import ValueReport, value_matches
from registry.service.context import Context
from registry.service.outcome import before_and_after
from registry.service.outcome import unmet as unmet_on_samples


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `refused` says whether an error stands in the way."""

    plan: Plan
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...] = ()

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
        planned = plan(compiled, state, readers_of(state, transaction))
        alike = value_matches(context, compiled, planned, state, transaction)
        tried: tuple[tuple[str, str], ...] = ()
        if expectations is not None and not planned.empty:
            _, after = before_and_after(compiled, state, planned, context.clock())
            tried = tuple(unmet_on_samples(planned, after, expectations))
        return check_against(context, compiled, state, transaction, alike, tried)


def check_against(
    context: Context,
    compiled: Compiled,
    state: NamespaceState,
    transaction: Transaction,
    values: ValueReport | None = None,
    unmet: tuple[tuple[str, str], ...] = (),
) -> Checked:
    """The same, inside a transaction that already holds the state. `values` is what they say, and
    `unmet` what a sample of them does not hold."""
    said = values or ValueReport()
    readers = readers_of(state, transaction)
    planned = plan(compiled, state, readers)
    repeated = tuple(_duplicates(compiled, planned, transaction))
    evidence = Evidence(
        compiled=compiled,
        state=state,
        plan=planned,
        readers=readers,
        now=context.clock(),
        interval_seconds=context.interval_seconds,
        tables=context.tables,
        duplicates=repeated,
        alike=tuple(said.matches),
        unread=tuple(said.unread.items()),
        unmet=unmet,
    )
    findings = judge(evidence, context.severities, context.waivers)
    return Checked(planned, findings, repeated)


def readers_of(state: NamespaceState, transaction: Transaction) -> Readers:
    """Every reader of the namespace's features: services, training sets, models."""
    return index_readers([*service_readers(state), *transaction.readers(state.namespace)])


def _duplicates(compiled: Compiled, planned: Plan, transaction: Transaction) -> list[Duplicate]:
    fresh = [
        c.name
        for c in planned.changes
        if c.object == "feature" and c.aspect == "meaning" and c.action in ("add", "change")
    ]
    keys = sorted({compiled.features[ref].definition_key for ref in fresh})
    return duplicates(compiled, index_by_key(transaction.known_by_key(keys)), fresh)
