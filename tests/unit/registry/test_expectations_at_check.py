from collections.abc import Sequence
from dataclasses import replace

from registry.core.apply import apply_plan
from registry.core.findings import Finding
from registry.core.planning import plan
from registry.core.published import PublishedView
from registry.core.state import NamespaceState
from registry.kernel.clock import FixedClock
from registry.kernel.errors import NotFound
from registry.kernel.signing import SigningKey
from registry.ports import SampleChecker
from registry.service.check import check
from registry.service.context import Context
from registry.testing import NOON, InMemoryStore
from registry.vocabulary import expect
from tests.definitions import compiled, view

PROMISING = view(expectations=(expect.between("mean_delay", 0, 10),))


def too_late(seen: PublishedView) -> Sequence[str]:
    """A sample that breaks every expectation."""
    return [f"{expectation.kind} fails" for expectation in seen.expectations]


def failed(checker: SampleChecker, **changes: object) -> list[Finding]:
    context = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    found = check(replace(context, **changes), compiled(PROMISING), expectations=checker)  # type: ignore[arg-type]
    return [finding for finding in found.findings if finding.rule == "expectation-failed"]


def test_an_expectation_that_a_sample_breaks_is_a_finding() -> None:
    (finding,) = failed(too_late)
    assert (finding.severity, finding.subject) == ("warning", "delays")
    assert finding.message.startswith("on a sample of delays: expect_column_values_to_be_between")


def test_its_severity_is_the_projects_to_choose() -> None:
    (finding,) = failed(too_late, severities={"expectation-failed": "error"})
    assert finding.severity == "error"


def test_what_cannot_be_read_is_left_to_other_rules() -> None:
    def missing(seen: PublishedView) -> Sequence[str]:
        raise NotFound("warehouse table", "flights")

    assert failed(missing) == []


def test_views_that_do_not_change_are_not_tried() -> None:
    def never(seen: PublishedView) -> Sequence[str]:
        raise AssertionError(seen.name)

    made, empty = compiled(PROMISING), NamespaceState("flights")
    state = apply_plan(plan(made, empty, {}), made, empty, NOON)
    context = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    assert check(context, made, state, never).plan.empty
