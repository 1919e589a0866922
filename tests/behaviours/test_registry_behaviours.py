"""What a registry does, on SQLite and on PostgreSQL alike."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.bootstrap import SqlRegistry, open_registry
from registry.core.compiled import Compiled
from registry.core.published import KEY_FORMAT
from registry.core.rules.engine import Waiver
from registry.kernel.errors import Conflict, Forbidden, NotFound, Refused, Unauthorized
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, ModelRecord, Principal, Watermark
from registry.service.apply import Applied, apply
from registry.service.check import CheckFailed
from registry.service.propose import approve, propose, reject
from registry.service.runtime import quarantine, release, retire_version
from registry.service.verify import verify_audit
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

ADA = Principal("ada", frozenset({"author", "steward", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
READING = (service("delays:mean_delay"),)

LATER = NOON + timedelta(days=30)

Open = Callable[[], SqlRegistry]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same registry, as often as it is called."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    table = {
        "project": {"namespace": "flights"},
        "registry": {"url": url},
        "clock": {"instant": "2013-10-01T12:00:00Z"},
    }
    opened: list[SqlRegistry] = []

    def open_one() -> SqlRegistry:
        opened.append(open_registry(Settings(tmp_path, None, table, {})))
        return opened[-1]

    yield open_one
    for registry in opened:
        registry.database.close()


@pytest.fixture
def registry(open_again: Open) -> SqlRegistry:
    return open_again()


def landed(registry: SqlRegistry, made: Compiled) -> Applied:
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    return apply(registry.context, digest, made, ADA)


def actions(registry: SqlRegistry) -> list[str]:
    with registry.context.store.read() as transaction:
        return [chained.event.action for chained in transaction.events()]


def test_an_empty_registry_publishes_number_zero(registry: SqlRegistry) -> None:
    assert (registry.published().number, registry.published().views) == (0, {})


def test_an_approved_proposal_is_applied_and_published(registry: SqlRegistry) -> None:
    applied = landed(registry, compiled(view(), services=READING))
    assert applied.changed
    assert registry.published() == applied.published
    assert list(registry.published().services) == ["late"]


def test_what_was_applied_is_read_back_the_same_by_another(open_again: Open) -> None:
    landed(open_again(), compiled(view(), services=READING))
    with open_again().context.store.read() as transaction:
        first = transaction.state("flights")
    assert first.lines["delays"].definition == view()
    assert first.features["delays:mean_delay@1"].state == "production"


def test_a_proposal_that_nobody_approved_is_not_applied(registry: SqlRegistry) -> None:
    made = compiled(view())
    digest = propose(registry.context, made, ADA).proposal.digest
    with pytest.raises(Refused, match=r"approval\(s\) missing"):
        apply(registry.context, digest, made, ADA)
    assert registry.published().number == 0


@pytest.mark.parametrize("who", [ADA, replace(BOB, bot=True), Principal("eve", frozenset())])
def test_an_approval_that_cannot_count_is_refused(registry: SqlRegistry, who: Principal) -> None:
    digest = propose(registry.context, compiled(view()), ADA).proposal.digest
    with pytest.raises(Forbidden):
        approve(registry.context, digest, who)
    assert "proposal:approved" not in actions(registry)


def test_applying_twice_changes_nothing(registry: SqlRegistry) -> None:
    made = compiled(view())
    first = landed(registry, made)
    again = apply(registry.context, first.proposal.digest, made, ADA)
    assert (again.changed, again.published.number) == (False, 1)


def test_a_plan_is_void_once_its_ground_has_moved(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    stale = compiled(view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN))
    digest = propose(registry.context, stale, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    landed(
        registry, compiled(view(feature("mean_delay", description="new"), feature("worst_delay")))
    )
    with pytest.raises(Conflict, match="changed since"):
        apply(registry.context, digest, stale, ADA)


def test_another_namespaces_apply_does_not_void_a_plan(registry: SqlRegistry) -> None:
    made = compiled(view())
    digest = propose(registry.context, made, ADA).proposal.digest
    approve(registry.context, digest, BOB)
    other = view(feature("mean_delay"), source=MEDIAN)
    landed(registry, compiled(other, namespace="hotels"))
    assert apply(registry.context, digest, made, ADA).changed


def test_of_two_applies_at_once_one_carries_it_out(open_again: Open) -> None:
    made = compiled(view())
    digest = propose(open_again().context, made, ADA).proposal.digest
    approve(open_again().context, digest, BOB)
    outcomes: list[bool] = []

    def go(registry: SqlRegistry) -> None:
        outcomes.append(apply(registry.context, digest, made, ADA).changed)

    threads = [threading.Thread(target=go, args=(open_again(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]
    assert open_again().published().number == 1


def test_a_repeated_feature_of_another_namespace_is_refused(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    copy = compiled(view(name="late_planes"), namespace="hotels")
    with pytest.raises(CheckFailed) as refused:
        propose(registry.context, copy, ADA)
    finding = refused.value.checked.errors[0]
    assert finding.rule == "duplicate-definition"
    assert "flights/delays:mean_delay@1" in finding.message
    assert actions(registry)[-1] == "proposal:refused"


def test_a_rejected_proposal_stays_closed(registry: SqlRegistry) -> None:
    digest = propose(registry.context, compiled(view()), ADA).proposal.digest
    reject(registry.context, digest, BOB, "not now")
    with pytest.raises(Refused, match="rejected"):
        approve(registry.context, digest, BOB)


def test_a_text_change_needs_no_approval(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    made = compiled(view(feature("mean_delay", description="average"), feature("worst_delay")))
    stands = propose(registry.context, made, ADA)
    assert (stands.missing, stands.proposal.status) == (0, "approved")


def test_versions_from_first_to_last(registry: SqlRegistry) -> None:
    landed(registry, compiled(view(), services=READING))
    unsaid = compiled(view(source=MEDIAN), services=READING)
    with pytest.raises(CheckFailed, match="meaning-without-version"):
        propose(registry.context, unsaid, ADA)

    second = view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN)
    landed(registry, compiled(second, services=READING))
    published = registry.published()
    (pin,) = published.services["late"].features
    assert (pin.view, pin.version) == ("delays", 1)
    assert published.views[pin.view].source.query == QUERY
    with pytest.raises(Refused, match="still read"):
        retire_version(registry.context, "flights", "delays:mean_delay@1", BOB, "old")

    landed(registry, compiled(second, services=(service("delays:mean_delay@2"),)))
    registry.switch_generation("delays@2", 1, "materializer")
    retire_version(registry.context, "flights", "delays:mean_delay@1", BOB, "all moved")
    assert set(registry.published().views) == {"delays@2"}  # which holds all that is left


def test_generations_that_are_new_have_the_newest_keys(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    assert registry.published().views["delays"].key_format == KEY_FORMAT
    with registry.context.store.write() as transaction:  # as it was stored before format 2 came
        before = transaction.state("flights")
        line = replace(before.lines["delays"], key_format=1)
        after = replace(before, number=before.number + 1, lines={"delays": line})
        transaction.save_state(before, after)
    state = registry.switch_generation("delays", 2, "materializer")
    assert (state.views["delays"].generation, state.views["delays"].key_format) == (2, KEY_FORMAT)


def test_quarantine_comes_and_goes(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    state = quarantine(registry.context, "flights", "delays:mean_delay", BOB, "nulls")
    assert state.views["delays"].features[0].state == "quarantined"
    state = release(registry.context, "flights", "delays:mean_delay", BOB, "mended")
    assert state.views["delays"].features[0].state == "production"
    assert actions(registry)[-2:] == ["feature:state:quarantined", "feature:state:released"]


def test_the_audit_chain_is_whole_and_signed(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    report = verify_audit(registry.context)
    assert (report.problems, report.checkpoints) == ((), 1)


def test_a_row_edited_in_the_database_is_named(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    with registry.database.write() as connection:
        connection.execute(sa.update(t.audit).where(t.audit.c.sequence == 2).values(actor="eve"))
    assert verify_audit(registry.context).problems == ("row 2 was edited",)


def test_rows_cut_from_the_database_are_named(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    with registry.database.write() as connection:
        connection.execute(sa.delete(t.audit).where(t.audit.c.sequence > 2))
    (problem,) = verify_audit(registry.context).problems
    assert "cut off: it ends at row 2" in problem


def test_rows_and_checkpoints_cut_from_the_database_are_still_missed(
    registry: SqlRegistry,
) -> None:
    landed(registry, compiled(view()))
    with registry.database.write() as connection:
        connection.execute(sa.delete(t.audit).where(t.audit.c.sequence > 2))
        connection.execute(sa.delete(t.checkpoint))
    (problem,) = verify_audit(registry.context).problems
    assert "cut off: it ends at row 2" in problem


def test_a_waiver_is_audited(registry: SqlRegistry) -> None:
    waiver = Waiver("unit-missing", "delays:mean_delay", "no unit fits", "ada", LATER)
    context = replace(registry.context, waivers=(waiver,))
    propose(context, compiled(view(feature("mean_delay", unit=None), feature("worst_delay"))), ADA)
    with registry.context.store.read() as transaction:
        (event,) = [c.event for c in transaction.events() if c.event.action == "finding:waived"]
    assert (event.actor, event.subject) == ("ada", "delays:mean_delay")
    assert "no unit fits" in event.reason


def test_the_first_token_is_an_admins_and_later_ones_take_it(registry: SqlRegistry) -> None:
    with pytest.raises(Forbidden, match="first token"):
        registry.issue_token(None, Principal("eve", frozenset({"author"})))
    admin = registry.issue_token(None, Principal("ada", frozenset({"admin"})))
    with pytest.raises(Unauthorized):
        registry.issue_token(None, BOB)
    token = registry.issue_token(admin, BOB)
    assert registry.authority(token, "steward") == BOB
    with pytest.raises(Forbidden, match="it takes the role operator"):
        registry.authority(token, "operator")


def test_tokens_are_not_kept_in_the_database(registry: SqlRegistry) -> None:
    token = registry.issue_token(None, Principal("ada", frozenset({"admin"})))
    with registry.database.read() as connection:
        stored = connection.execute(sa.select(t.token)).first()
    assert token not in str(stored)


def test_revoked_and_expired_tokens_are_refused(registry: SqlRegistry) -> None:
    admin = registry.issue_token(None, Principal("ada", frozenset({"admin"})))
    expired = registry.issue_token(admin, BOB, expires_at=NOON - timedelta(days=1))
    with pytest.raises(Unauthorized, match="expired"):
        registry.authority(expired)
    token = registry.issue_token(admin, BOB)
    for info in registry.list_tokens(admin):
        if info.subject == "bob":
            registry.revoke_token(admin, info.id)
    with pytest.raises(Unauthorized, match="revoked"):
        registry.authority(token)


def test_watermarks_are_kept(registry: SqlRegistry) -> None:
    assert registry.watermarks.read("delays", 1) is None
    mark = Watermark("delays", 1, NOON, 10)
    registry.watermarks.write(mark)
    registry.watermarks.write(replace(mark, rows=20))
    assert registry.watermarks.read("delays", 1) == replace(mark, rows=20)


def test_a_training_set_keeps_its_name_for_ever(registry: SqlRegistry) -> None:
    record = DatasetRecord("first", "sha256:1", NOON, "ada", 5, ("delays:mean_delay@1",), "here")
    registry.datasets.add(record)
    registry.datasets.add(record)
    with pytest.raises(Conflict, match="exists already"):
        registry.datasets.add(replace(record, manifest_digest="sha256:2"))
    assert registry.datasets.all() == [record]
    with pytest.raises(NotFound, match="first"):
        registry.datasets.get("frist")


def test_a_training_set_that_is_removed_is_listed_no_more(registry: SqlRegistry) -> None:
    record = DatasetRecord("first", "sha256:1", NOON, "ada", 5, ("delays:mean_delay@1",), "here")
    registry.datasets.add(record)
    registry.datasets.remove("first", "grace", "asked to be forgotten")
    assert registry.datasets.all() == []
    with pytest.raises(NotFound):
        registry.datasets.remove("first", "grace", "again")


def test_a_training_set_reads_its_features(registry: SqlRegistry) -> None:
    landed(registry, compiled(view()))
    registry.datasets.add(
        DatasetRecord("first", "sha256:1", NOON, "ada", 5, ("delays:mean_delay@1",), "here")
    )
    with registry.context.store.read() as transaction:
        readers = transaction.readers("flights")
    assert [(ref, str(reader)) for ref, reader in readers] == [
        ("delays:mean_delay@1", "training set first")
    ]


def test_models_and_the_champion_pointer(registry: SqlRegistry) -> None:
    record = ModelRecord("delay", "1", "sha256:1", "packaged", NOON, "ada", (), {"auc": 0.7})
    registry.models.save(record, "ada", "model:packaged")
    registry.models.save(replace(record, state="gated"), "ada", "model:gated")
    registry.models.save(replace(record, version="2"), "ada", "model:packaged")
    assert registry.models.get("delay").version == "2"
    assert registry.models.get("delay", "1").state == "gated"
    assert registry.models.champion("delay") is None
    registry.models.set_champion("delay", "1", "bob", "better", {"report": "sha256:r"})
    newest = registry.models.history("delay")[-1]
    assert (newest.actor, newest.action, newest.subject) == ("bob", "model:champion", "delay@1")
    assert (newest.reason, newest.detail) == ("better", {"report": "sha256:r"})
    assert registry.models.history("dela") == []
    registry.models.note("delay", "2", "eve", "model:approval:refused", "who asks never approves")
    assert registry.models.history("delay")[-1].actor == "eve"
    assert registry.models.get("delay").state == "packaged"
    champion = registry.models.champion("delay")
    assert champion is not None
    assert champion.version == "1"
    assert actions(registry)[-2:] == ["model:champion", "model:approval:refused"]
