"""Several namespaces in one registry: a service that reads another's feature, on both databases."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compiled import Compiled
from registry.core.rules.engine import Waiver
from registry.kernel.errors import Gone, NotFound
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, ModelRecord, Principal, UsageRecord
from registry.service.apply import apply
from registry.service.check import CheckFailed, check, readers_of
from registry.service.propose import approve, needs_of, propose
from registry.service.runtime import quarantine, release
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

ADA = Principal("ada", frozenset({"author", "steward", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
CHANGED = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
OTHER = sql_source(QUERY.replace("max(delay)", "min(delay)"))
READING = compiled(services=(service("flights/delays:mean_delay", name="fares"),), namespace="shop")

OpenOne = Callable[[str], SqlRegistry]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenOne]:
    """Opens one registry as the namespace of that name."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened: list[SqlRegistry] = []

    def open_as(namespace: str) -> SqlRegistry:
        table = {"project": {"namespace": namespace}, "registry": {"url": url}}
        clock = {"clock": {"instant": "2013-10-01T12:00:00Z"}}
        opened.append(open_registry(Settings(tmp_path, None, {**table, **clock}, {})))
        return opened[-1]

    yield open_as
    for registry in opened:
        registry.database.close()


def land(registry: SqlRegistry, made: Compiled) -> None:
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    apply(registry.context, digest, made, ADA)


def flights(**changes: object) -> Compiled:
    return compiled(view(feature("mean_delay", **changes), feature("worst_delay")))


@pytest.fixture
def both(open_one: OpenOne) -> tuple[SqlRegistry, SqlRegistry]:
    """(flights, shop), where a service of shop reads a feature of flights."""
    lender, borrower = open_one("flights"), open_one("shop")
    land(lender, flights())
    land(borrower, READING)
    return lender, borrower


def test_a_service_is_pinned_to_another_namespaces_feature_and_carries_its_view(both):
    lender, borrower = both
    state = borrower.published()
    (pin,) = state.service("fares").features
    assert (pin.view, pin.feature, pin.version) == ("flights/delays", "mean_delay", 1)
    carried = state.view(pin.view)
    assert carried == replace(lender.published().view("delays"), name="flights/delays")
    assert state.resolve("flights/delays:mean_delay") == pin
    assert not state.views


def test_the_owner_sees_services_sets_models_and_callers_of_other_namespaces(both):
    lender, borrower = both
    ref = "flights/delays:mean_delay@1"
    borrower.datasets.add(DatasetRecord("fares1", "sha256:1", NOON, "cy", 3, (ref,), "here"))
    model = ModelRecord("fare", "1", "sha256:2", "packaged", NOON, "cy", (ref,), {})
    borrower.models.save(model, "cy", "model:packaged")
    borrower.usage.add([UsageRecord(ref, "fares", "till", 5, 9, NOON)])
    with lender.context.store.read() as transaction:
        readers = readers_of(transaction.state("flights"), transaction)
    assert [f"{r.kind} {r.name}" for r in readers["delays:mean_delay@1"]] == [
        "caller till through shop/fares",
        "model shop/fare@1",
        "service shop/fares",
        "training set shop/fares1",
    ]
    assert "delays:worst_delay@1" not in readers


def test_a_changed_meaning_asks_the_other_namespaces_owner(both):
    lender, _ = both
    made = compiled(view(feature("mean_delay", version=2), feature("worst_delay"), source=CHANGED))
    proposal = propose(lender.context, made, ADA).proposal
    (change,) = [c for c in proposal.plan.changes if c.aspect == "meaning"]
    assert [str(reader) for reader in change.readers] == ["service shop/fares"]
    with lender.context.store.read() as transaction:
        asked = needs_of(lender.context, transaction, proposal)
    assert any("the owner of service shop/fares" in need.who for need in asked)


def test_a_feature_that_another_namespace_reads_is_not_removed(both):
    lender, _ = both
    land(lender, flights(state="deprecated", sunset=NOON + timedelta(9), reason="x"))
    with pytest.raises(CheckFailed, match="removed-while-read"):
        propose(lender.context, compiled(view(feature("worst_delay"))), ADA)


def test_quarantine_and_deprecation_reach_the_borrower_at_once_and_are_audited_there(both):
    lender, borrower = both
    (pin,) = borrower.published().service("fares").features
    quarantine(lender.context, "flights", "delays:mean_delay", BOB, "stuck")
    assert borrower.published().feature(pin).state == "quarantined"
    release(lender.context, "flights", "delays:mean_delay", BOB, "mended")
    sunset = NOON + timedelta(9)
    land(lender, flights(state="deprecated", sunset=sunset, reason="gone soon"))
    assert borrower.published().feature(pin).sunset == sunset
    with borrower.context.store.read() as transaction:
        actions = [c.event for c in transaction.events() if c.event.namespace == "shop"]
    assert [e.actor for e in actions if e.action == "namespace:lender-changed"] == [
        "bob", "bob", "ada",
    ]  # fmt: skip


def test_what_a_namespace_does_not_borrow_does_not_move_it(both):
    lender, borrower = both
    before = borrower.published().number
    land(lender, flights(description="said better"))
    moved = borrower.published().number
    same = flights(description="said better").views["delays"]
    land(lender, compiled(same, view(feature("worst_delay"), name="others", source=OTHER)))
    assert (moved, borrower.published().number) == (before + 1, before + 1)


def test_a_borrower_stays_at_its_version_and_follows_it_to_a_new_line(both):
    lender, borrower = both
    changed = view(feature("mean_delay", version=2), feature("worst_delay"), source=CHANGED)
    land(lender, compiled(changed))
    lender.switch_generation("delays@2", 1, "materializer")
    (pin,) = borrower.published().service("fares").features
    assert (pin.view, pin.version) == ("flights/delays", 1)
    worst = service("flights/delays:mean_delay", "flights/delays:worst_delay", name="fares")
    land(borrower, compiled(services=(worst,), namespace="shop"))
    assert [(p.view, p.version) for p in borrower.published().service("fares").features] == [
        ("flights/delays", 1), ("flights/delays@2", 1),
    ]  # fmt: skip


def test_a_new_generation_at_the_lender_is_the_borrowers_too(both):
    lender, borrower = both
    lender.switch_generation("delays", 7, "materializer")
    assert borrower.published().view("flights/delays").generation == 7


def test_a_borrowed_feature_that_does_not_exist_is_a_finding(both):
    _, borrower = both
    wrong = service("flights/delays:mean_delya", "nowhere/x:y", name="fares")
    found = check(borrower.context, compiled(services=(wrong,), namespace="shop"))
    hints = [f.hint for f in found.errors if f.rule == "service-unknown-lender"]
    assert hints[0].startswith("nearest there: delays:mean_delay")
    assert hints[1:] == ["nothing is registered there by that name"]


def test_nothing_is_read_of_a_namespace_that_no_service_names(both):
    lender, borrower = both
    with pytest.raises(NotFound):
        borrower.published().resolve("flights/delays:nothing")
    with pytest.raises(Exception, match="no feature service of it reads from there"):
        lender.published().resolve("shop/x:y")


def test_a_retired_feature_is_gone_for_the_borrower_with_its_replacement_named(both):
    lender, borrower = both
    land(lender, flights(state="deprecated", sunset=NOON, replaced_by="delays:worst_delay"))
    until = NOON + timedelta(9)
    waiver = Waiver("removed-while-read", "delays:mean_delay@1", "it lies", "bob", until)
    forced = replace(lender.context, waivers=(waiver,))
    land(replace(lender, context=forced), compiled(view(feature("worst_delay"))))
    with pytest.raises(Gone, match="use flights/delays:worst_delay"):
        borrower.published().resolve("flights/delays:mean_delay")
    found = check(borrower.context, READING)
    assert "service-unknown-lender" in {f.rule for f in found.errors}
