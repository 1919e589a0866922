"""What a store does for the use cases: in memory, on SQLite and on PostgreSQL alike."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from registry.core.audit import Event
from registry.core.policy import Approval
from registry.core.proposals import Proposal
from registry.core.publish import publish
from registry.core.similarity.values import ValueSketch
from registry.core.state import NamespaceState
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Conflict, NotFound
from registry.kernel.signing import SigningKey
from registry.ports import Principal, Store
from registry.service.apply import apply
from registry.service.context import Context
from registry.service.propose import approve, propose
from registry.service.verify import verify_audit
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
EMPTY = NamespaceState("flights")
LATER = NOON + timedelta(days=1)


def context(store: Store) -> Context:
    return Context(store, FixedClock(NOON), SigningKey(bytes(32)))


def event(subject: str, seconds: int = 0) -> Event:
    return Event(NOON + timedelta(seconds=seconds), "ada", "feature:add:meaning", subject)


def proposal(digest: str) -> Proposal:
    made = compiled(view())
    planned = propose(context(InMemoryStore()), made, ADA).proposal
    return replace(planned, digest=digest)


def test_a_repository_goes_all_the_way(store: Store) -> None:
    made = compiled(view())
    digest = propose(context(store), made, ADA).proposal.digest
    approve(context(store), digest, BOB)
    assert apply(context(store), digest, made, ADA).changed
    assert verify_audit(context(store)).problems == ()


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as transaction:
        transaction.save_state(EMPTY, replace(EMPTY, number=1))
        transaction.append([event("delays")])
        raise RuntimeError("killed")
    with store.read() as transaction:
        assert transaction.state("flights") == EMPTY
        assert list(transaction.events()) == []


def test_what_is_read_together_is_of_one_moment(store: Store) -> None:
    with store.read() as reading:
        assert reading.state("flights") == EMPTY
        with store.write() as writing:
            writing.save_state(EMPTY, replace(EMPTY, number=1))
            writing.append([event("late")])
        assert list(reading.events()) == []
        assert reading.state("flights") == EMPTY
    with store.read() as after:
        assert after.state("flights").number == 1
        assert len(list(after.events())) == 1


def test_a_state_saved_over_another_is_a_conflict(store: Store) -> None:
    with store.write() as transaction:
        transaction.save_state(EMPTY, replace(EMPTY, number=1))
    with store.write() as transaction:
        first = transaction.state("flights")
        transaction.save_state(first, replace(first, number=2))
    with pytest.raises(Conflict), store.write() as transaction:
        transaction.save_state(first, replace(first, number=2))


def test_the_published_state_of_a_time_is_found(store: Store) -> None:
    with store.write() as transaction:
        transaction.save_state(EMPTY, replace(EMPTY, number=2))
        for number in (1, 2):
            state = replace(EMPTY, number=number)
            transaction.publish(publish(state, NOON + timedelta(hours=number)))
    with store.read() as transaction:
        early = transaction.published("flights", NOON + timedelta(minutes=90))
        assert early is not None
        assert early.number == 1
        assert transaction.published("flights", NOON) is None
        newest = transaction.published("flights")
        assert newest is not None
        assert newest.number == 2


def test_events_are_chained_and_found(store: Store) -> None:
    with store.write() as transaction:
        transaction.append([event("delays:a", 1), event("delays:b", 2)])
    with store.write() as transaction:
        transaction.append([event("delays:a", 3)])
    with store.read() as transaction:
        assert [c.sequence for c in transaction.events()] == [1, 2, 3]
        assert [c.sequence for c in transaction.events(subject="delays:a")] == [1, 3]
        assert [c.sequence for c in transaction.events(newest=2)] == [2, 3]
        until = NOON + timedelta(seconds=2)
        assert [c.sequence for c in transaction.events(until=until)] == [1, 2]


def test_a_proposal_is_found_by_its_first_digits(store: Store) -> None:
    with store.write() as transaction:
        transaction.save_proposal(proposal("sha256:abc1"))
        transaction.save_proposal(replace(proposal("sha256:abd2"), status="applied"))
    with store.read() as transaction:
        assert transaction.proposal("abc").digest == "sha256:abc1"
        assert [p.digest for p in transaction.pending("flights")] == ["sha256:abc1"]
        with pytest.raises(NotFound):
            transaction.proposal("abe")


def test_a_person_approves_once(store: Store) -> None:
    consent = Approval("bob", frozenset({"steward"}), False, NOON, "read it")
    with store.write() as transaction:
        transaction.save_proposal(proposal("sha256:abc1"))
        transaction.save_approval("sha256:abc1", consent)
        transaction.save_approval("sha256:abc1", replace(consent, comment="twice"))
    with store.read() as transaction:
        assert [a.comment for a in transaction.approvals("sha256:abc1")] == ["twice"]


def test_sketches_of_live_features_are_found_by_entity(store: Store) -> None:
    made = compiled(view())
    digest = propose(context(store), made, ADA).proposal.digest
    approve(context(store), digest, BOB)
    apply(context(store), digest, made, ADA)
    values = np.array([[1.0, np.nan], [2.5, 3.0]])
    kept = ValueSketch(
        "delays:mean_delay@1", "carrier string", (5, 2**64 - 1), (NOON, LATER), "number", values
    )
    unknown = replace(kept, ref="delays:nothing@1")
    with store.write() as transaction:
        transaction.save_sketches("flights", [kept, unknown], NOON)
        transaction.save_sketches("flights", [kept], LATER)
    with store.read() as transaction:
        assert list(transaction.sketches("plane string")) == []
        ((namespace, found),) = transaction.sketches("carrier string")
    assert (namespace, found.ref, found.keys) == ("flights", kept.ref, kept.keys)
    assert found.anchors == kept.anchors
    np.testing.assert_array_equal(found.values, values)
