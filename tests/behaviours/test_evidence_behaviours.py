"""Moves of a feature are judged by stored results of checks, not by anybody's word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compiled import Compiled
from registry.core.definitions import OnDemandView
from registry.core.evidence import CheckResult
from registry.kernel.errors import Refused
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.check import CheckFailed
from registry.service.evidence import prove, prove_code, store_results
from registry.service.propose import approve, propose
from registry.service.runtime import quarantine, release
from tests.definitions import QUERY, compiled, feature, sql_source, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
MONITOR = Principal("monitor", frozenset({"operator"}), bot=True)
DRAFT = compiled(view(feature("mean_delay", state="draft"), feature("worst_delay")))
REF = "delays:mean_delay@1"


def with_ratio(state: str) -> Compiled:
    code = "def ratio(inputs):\n    return {'late': [d / 60 for d in inputs['mean_delay']]}\n"
    inputs = ("delays:mean_delay",)
    made = OnDemandView("ratio", "python", "ratio", code, (feature("late", state=state),), inputs)
    return compiled(view(), on_demand=(made,))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    table = {"project": {"namespace": "flights"}, "clock": {"instant": "2013-10-01T12:00:00Z"}}
    opened = open_registry(Settings(tmp_path, None, table, {}))
    yield opened
    opened.database.close()


def land(registry: SqlRegistry, made: Compiled) -> None:
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    apply(registry.context, digest, made, ADA)


def found(registry: SqlRegistry, *failures: str) -> None:
    """A check of the view that finds these failures."""
    published = registry.published().view("delays")
    prove(registry.context, "flights", published, lambda _: failures, "ci")


def state(registry: SqlRegistry) -> str:
    by_name = {f.name: f.state for f in registry.published().view("delays").features}
    return by_name["mean_delay"]


def test_a_draft_becomes_production_on_a_stored_passed_check_alone(registry: SqlRegistry) -> None:
    land(registry, DRAFT)
    with pytest.raises(CheckFailed, match="no passed quality check of this meaning") as refused:
        land(registry, compiled(view()))
    assert "fieldhouse lifecycle prove delays:mean_delay" in str(refused.value)
    found(registry)
    land(registry, compiled(view()))
    assert state(registry) == "production"


def test_a_failed_check_keeps_a_draft_a_draft_and_says_what_failed(registry: SqlRegistry) -> None:
    land(registry, DRAFT)
    found(registry, "'mean_delay' has nulls")
    with pytest.raises(CheckFailed, match="its quality check failed: 'mean_delay' has nulls"):
        land(registry, compiled(view()))


def test_a_failure_of_another_feature_of_the_view_does_not_count(registry: SqlRegistry) -> None:
    land(registry, DRAFT)
    found(registry, "'worst_delay' is negative")
    land(registry, compiled(view()))
    assert state(registry) == "production"


def test_a_result_of_another_meaning_is_no_evidence(registry: SqlRegistry) -> None:
    land(registry, DRAFT)
    found(registry)
    changed = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
    parts = feature("mean_delay", state="draft", version=2), feature("worst_delay")
    land(registry, compiled(view(*parts, source=changed)))
    with pytest.raises(CheckFailed, match="evidence-missing"):
        land(registry, compiled(view(source=changed)))


def test_an_on_demand_draft_takes_a_stored_trial_of_its_code(registry: SqlRegistry) -> None:
    land(registry, with_ratio("draft"))
    with pytest.raises(CheckFailed, match="fieldhouse lifecycle prove ratio:late"):
        land(registry, with_ratio("production"))
    said: list[str] = ["'late' is null for each of 9 rows"]
    for _ in range(2):
        published = registry.published()
        prove_code(
            registry.context, published, published.computed("ratio"), lambda *_: tuple(said), "ci"
        )
        if said:
            with pytest.raises(CheckFailed, match="'late' is null for each of 9 rows"):
                land(registry, with_ratio("production"))
        said.clear()
    land(registry, with_ratio("production"))
    assert registry.published().computed("ratio").features[0].state == "production"


def test_what_was_approved_is_not_applied_once_a_check_has_failed(registry: SqlRegistry) -> None:
    land(registry, DRAFT)
    found(registry)
    made = compiled(view())
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    found(registry, "'mean_delay' has nulls")
    with pytest.raises(CheckFailed, match="evidence-missing"):
        apply(registry.context, digest, made, ADA)
    assert state(registry) == "draft"


def test_a_bot_quarantines_on_a_stored_failure_only(registry: SqlRegistry) -> None:
    land(registry, compiled(view()))
    with pytest.raises(Refused, match="no failed check of it is stored"):
        quarantine(registry.context, "flights", REF, MONITOR, "it looks odd")
    meaning = registry.published().view("delays").features[0].meaning
    differs = CheckResult("parity", REF, meaning, passed=False, said="2 of 200 differ")
    store_results(registry.context, "flights", [differs], "ci")
    quarantine(registry.context, "flights", REF, MONITOR, "parity: 2 of 200 differ")
    assert state(registry) == "quarantined"


def test_a_quarantine_is_not_lifted_before_the_check_passes_again(registry: SqlRegistry) -> None:
    land(registry, compiled(view()))
    found(registry, "'mean_delay' has nulls")
    quarantine(registry.context, "flights", REF, BOB, "nulls")
    with pytest.raises(Refused, match="mend it, then run: fieldhouse lifecycle prove"):
        release(registry.context, "flights", REF, BOB, "I think it is fine")
    found(registry)
    release(registry.context, "flights", REF, BOB, "refilled")
    assert state(registry) == "production"


def test_a_result_that_says_nothing_new_is_stored_once(registry: SqlRegistry) -> None:
    land(registry, compiled(view()))
    for failures in ((), (), ("'mean_delay' has nulls",), ("'mean_delay' has nulls",), ()):
        found(registry, *failures)
    with registry.context.store.read() as transaction:
        events = [c.event for c in transaction.events(REF)]
    assert [e.action for e in events if e.action.startswith("check:")] == [
        "check:quality:passed",
        "check:quality:failed",
        "check:quality:passed",
    ]
