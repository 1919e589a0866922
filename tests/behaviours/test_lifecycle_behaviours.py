"""Moves at run time: whole views, retirement under readers, callers who came lately."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compiled import Compiled
from registry.core.published import Published
from registry.kernel.errors import Forbidden, NotFound, Refused
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, ModelRecord, Principal, UsageRecord
from registry.service.apply import apply
from registry.service.check import CheckFailed
from registry.service.propose import approve, propose
from registry.service.runtime import quarantine, release, retire_version
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, sql_source, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
EVE = Principal("eve", frozenset({"steward"}))
FIRST = compiled(view(feature("mean_delay"), feature("worst_delay", state="draft")))
SECOND = compiled(
    view(
        feature("mean_delay", version=2),
        feature("worst_delay", state="draft"),
        source=sql_source(QUERY.replace("avg(delay)", "median(delay)")),
    )
)
OLD = "delays:mean_delay@1"


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


def states(published: Published) -> dict[str, str]:
    return {f.name: f.state for f in published.views["delays"].features}


def retire(registry: SqlRegistry, approver: Principal | None = None) -> Published:
    return retire_version(registry.context, "flights", OLD, BOB, "all moved", approver)


def test_a_whole_view_goes_into_quarantine_and_comes_back(registry: SqlRegistry) -> None:
    land(registry, compiled(view()))
    gone = quarantine(registry.context, "flights", "delays", BOB, "sensor fault")
    assert set(states(gone).values()) == {"quarantined"}
    assert gone.number == 2
    with registry.context.store.read() as transaction:
        named = [c.event.subject for c in transaction.events(newest=2)]
    assert named == [OLD, "delays:worst_delay@1"]
    back = release(registry.context, "flights", "delays", BOB, "mended")
    assert set(states(back).values()) == {"production"}


def test_of_a_view_only_what_is_served_goes_into_quarantine(registry: SqlRegistry) -> None:
    land(registry, FIRST)
    gone = quarantine(registry.context, "flights", "delays", BOB, "sensor fault")
    assert states(gone) == {"mean_delay": "quarantined", "worst_delay": "draft"}
    with pytest.raises(Refused, match="no feature of delays is production or deprecated"):
        quarantine(registry.context, "flights", "delays", BOB, "again")
    with pytest.raises(NotFound, match="nearest: delays"):
        quarantine(registry.context, "flights", "delay", BOB, "mistyped")


def test_a_read_version_is_retired_only_with_another_stewards_consent(
    registry: SqlRegistry,
) -> None:
    land(registry, FIRST)
    land(registry, SECOND)
    registry.datasets.add(DatasetRecord("set1", "sha256:1", NOON, "ada", 5, (OLD,), "here"))
    made = ModelRecord("late", "1", "sha256:1", "champion", NOON, "ada", (OLD,), {})
    registry.models.save(made, "ada", "model:packaged")
    with pytest.raises(Refused, match=r"training set set1|model late@1"):
        retire(registry)
    for who in (BOB, replace(EVE, bot=True), replace(EVE, roles=frozenset({"author"}))):
        with pytest.raises(Forbidden):
            retire(registry, who)
    assert OLD.split("@")[0] in {f"{v}:{f.name}" for v, f in registry.published().live()}
    retired = retire(registry, EVE)
    assert ("mean_delay", 1) in {(r.feature, r.version) for r in retired.retired}
    with registry.context.store.read() as transaction:
        (event,) = [c.event for c in transaction.events(newest=1)]
    assert event.reason == "all moved (approved by eve)"


@pytest.mark.parametrize(("days", "blocks"), [(29, True), (31, False)])
def test_a_caller_counts_as_a_reader_while_it_comes(
    registry: SqlRegistry, days: int, blocks: bool
) -> None:
    land(registry, FIRST)
    land(registry, SECOND)
    used = UsageRecord(OLD, "flight_delay", "shop", 3, 30, NOON - timedelta(days=days))
    registry.usage.add([used])
    if blocks:
        with pytest.raises(Refused, match="caller shop through flight_delay, last on 2013-09-02"):
            retire(registry)
    else:
        assert retire(registry).retired


def test_a_removal_names_callers_and_when_they_came(registry: SqlRegistry) -> None:
    late = NOON + timedelta(days=9)
    leaving = feature("mean_delay", state="deprecated", sunset=late, reason="noisy")
    land(registry, compiled(view()))
    land(registry, compiled(view(leaving, feature("worst_delay"))))
    registry.usage.add([UsageRecord(OLD, "ad hoc", "shop", 3, 30, NOON)])
    with pytest.raises(CheckFailed) as refused:
        propose(registry.context, compiled(view(feature("worst_delay"))), ADA)
    (finding,) = [f for f in refused.value.checked.errors if f.rule == "removed-while-read"]
    assert finding.hits == ("caller shop through ad hoc, last on 2013-10-01T12:00:00Z",)
