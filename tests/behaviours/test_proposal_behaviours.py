"""What becomes of proposals and their approvals: in memory, on SQLite and on PostgreSQL alike."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.adapters.sql.database import open_database
from registry.adapters.sql.store import SqlStore
from registry.adapters.sql.tokens import issue_token
from registry.core.policy import Approval
from registry.core.readers import Reader
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Forbidden, Refused
from registry.kernel.signing import SigningKey
from registry.ports import Principal, Store
from registry.service.apply import apply
from registry.service.context import Context
from registry.service.propose import Origin, approve, propose, reject, standing
from registry.testing import NOON, InMemoryStore
from tests.definitions import QUERY, compiled, feature, sql_source, view

ADA = Principal("ada", frozenset({"author", "steward", "operator"}))
BOB = Principal("bob", frozenset({"author", "steward"}))
EVE = Principal("eve", frozenset({"author", "steward"}))
CI = Principal("ci", frozenset({"author", "steward", "operator"}), bot=True)
PULL = Origin("shop/features#7", "c0ffee")
FIRST = compiled(view())
OTHER = compiled(view(feature("mean_delay"), feature("worst_delay"), name="more_delays"))
CHANGED = compiled(
    view(
        feature("mean_delay", version=2),
        feature("worst_delay"),
        source=sql_source(QUERY.replace("avg(delay)", "median(delay)")),
    )
)


@pytest.fixture
def context(store: Store) -> Context:
    return Context(store, FixedClock(NOON), SigningKey(bytes(32)))


def test_whoever_proposes_the_same_again_is_a_proposer_too(context: Context) -> None:
    digest = propose(context, FIRST, ADA).proposal.digest
    assert propose(context, FIRST, BOB).proposal.proposers == ("ada", "bob")
    with pytest.raises(Forbidden, match="bob proposed this"):
        approve(context, digest, BOB)
    assert approve(context, digest, EVE).missing == 0


def test_an_approval_is_void_once_its_giver_joins_the_proposers(context: Context) -> None:
    digest = propose(context, FIRST, ADA).proposal.digest
    assert approve(context, digest, BOB).proposal.status == "approved"
    stands = propose(context, FIRST, BOB)
    assert (stands.proposal.status, stands.missing > 0) == ("checked", True)
    with pytest.raises(Refused, match="not approved"):
        apply(context, digest, FIRST, ADA)


def test_those_behind_a_bots_proposal_do_not_count(context: Context) -> None:
    digest = propose(context, FIRST, CI, origin=replace(PULL, behind=("Ada",))).proposal.digest
    for who in (ADA, CI):
        with pytest.raises(Forbidden, match="who proposes never approves"):
            approve(context, digest, who)
    with pytest.raises(Forbidden, match="bot"):
        approve(context, digest, Principal("ci2", frozenset({"steward"}), bot=True))


def test_approvals_do_not_outlive_the_proposal_that_they_were_for(context: Context) -> None:
    digest = propose(context, FIRST, ADA).proposal.digest
    approve(context, digest, BOB)
    reject(context, digest, EVE, "not now")
    stands = propose(context, FIRST, ADA)
    assert (stands.proposal.digest, stands.proposal.status) == (digest, "checked")
    assert stands.approvals == ()


def test_another_plan_of_a_pull_request_supersedes_the_first(context: Context) -> None:
    first = propose(context, FIRST, ADA, origin=PULL).proposal.digest
    approve(context, first, BOB)
    second = propose(context, OTHER, ADA, origin=replace(PULL, commit="beef"))
    assert second.missing > 0
    for act in (
        lambda: approve(context, first, BOB),
        lambda: apply(context, first, FIRST, ADA),
    ):
        with pytest.raises(Refused, match="superseded"):
            act()
    with context.store.read() as transaction:
        statuses = {p.digest: p.status for p in transaction.proposals("flights")}
    assert statuses == {first: "superseded", second.proposal.digest: "checked"}


def test_a_refusal_says_what_is_missing_and_who_can_give_it(context: Context) -> None:
    digest = propose(context, FIRST, ADA).proposal.digest
    with pytest.raises(Refused) as refused:
        apply(context, digest, FIRST, ADA)
    said = str(refused.value)
    assert "1 of anybody with role steward (as a steward) for new feature" in said
    assert "not ada, who proposed it" in said


def test_whoever_reads_since_the_proposal_is_asked_too() -> None:
    store = InMemoryStore()
    context = Context(store, FixedClock(NOON), SigningKey(bytes(32)))
    digest = propose(context, FIRST, ADA).proposal.digest
    approve(context, digest, BOB)
    apply(context, digest, FIRST, ADA)
    digest = propose(context, CHANGED, ADA).proposal.digest
    reader = Reader("training set", "late", "eve")
    store.held.book_readers = (("delays:mean_delay@1", reader),)
    with store.read() as transaction:
        stands = standing(context, transaction, transaction.proposal(digest))
    assert any("the owner of training set late" in need.who for need in stands.needs)


def test_an_approval_is_dropped(context: Context) -> None:
    digest = propose(context, FIRST, ADA).proposal.digest
    with context.store.write() as transaction:
        transaction.save_approval(digest, Approval("bob", frozenset(), False, NOON))
        transaction.save_approval(digest, Approval("eve", frozenset(), False, NOON))
        transaction.drop_approval(digest, "bob")
        assert [a.subject for a in transaction.approvals(digest)] == ["eve"]


def test_a_subject_holds_what_its_good_tokens_allow(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'registry.db'}")
    day = timedelta(days=1)
    with database.write() as connection:
        for role, expires in (("steward", None), ("owner", NOON + day), ("admin", NOON - day)):
            issue_token(connection, Principal("Ada", frozenset({role})), NOON, expires)
    with SqlStore(database).read() as transaction:
        assert transaction.holder("ada", NOON) == Principal("Ada", frozenset({"owner", "steward"}))
        assert transaction.holder("bob", NOON) is None
    database.close()
