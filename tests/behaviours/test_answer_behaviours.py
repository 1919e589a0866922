"""Answers about features that look alike, and features of open proposals: on every store alike."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from registry.core.apply import apply_plan
from registry.core.duplication import KnownFeature, ProposedFeature
from registry.core.proposals import Proposal
from registry.core.similarity.likeness import Answer
from registry.core.similarity.values import ValueSketch
from registry.core.state import NamespaceState
from registry.kernel.clock import FixedClock
from registry.kernel.signing import SigningKey
from registry.ports import Principal, Store
from registry.service.context import Context
from registry.service.propose import propose
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, view

ADA = Principal("ada", frozenset({"author"}))
ANSWER = Answer("distinct", "before tax", "bob", NOON, "shop/a:x", "shop/b:y@1", ("k2", "k1"))
KNOWN = KnownFeature("shop/a:x@1", "shop", "k2", "ada", "production", "the price", "orders.price")
SKETCH = ValueSketch("a:x@1", "id", (3,), (NOON,), "number", np.array([[1.5]]))
DIGEST = "sha256:abc1"


def kept(store: Store, *features: ProposedFeature) -> Proposal:
    """An open proposal of ada's that adds these features."""
    inside = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    made = replace(propose(inside, compiled(view()), ADA).proposal, digest=DIGEST)
    with store.write() as transaction:
        transaction.save_proposal(made)
        transaction.save_proposed(DIGEST, features)
    return made


def test_an_answer_is_found_by_its_two_keys_in_either_order(store: Store) -> None:
    with store.write() as transaction:
        transaction.save_answer(ANSWER)
    with store.read() as transaction:
        found = transaction.answers([("k1", "k2"), ("k1", "k3"), ("k2", "k3")])
    assert found == {("k1", "k2"): ANSWER}


def test_a_later_answer_takes_the_place_of_the_first(store: Store) -> None:
    later = replace(ANSWER, kind="reuse", keys=("k1", "k2"), at=NOON + timedelta(days=1))
    for answer in (ANSWER, later):
        with store.write() as transaction:
            transaction.save_answer(answer)
    with store.read() as transaction:
        assert transaction.answers([("k2", "k1")]) == {("k1", "k2"): later}


def test_what_an_open_proposal_adds_is_found_by_key_and_by_entity(store: Store) -> None:
    bare = ProposedFeature(DIGEST, "ada", replace(KNOWN, ref="shop/b:z@1", definition_key="k9"))
    kept(store, ProposedFeature(DIGEST, "ada", KNOWN, SKETCH), bare)
    with store.read() as transaction:
        (found,) = transaction.proposed_by_key(["k2", "k3"])
        (sketched,) = transaction.proposed_of("id")
        assert list(transaction.proposed_of("carrier")) == []
    assert (found.known, found.proposer) == (KNOWN, "ada")
    assert found.shown.state == "proposed by ada in abc1"
    assert sketched.sketch is not None
    assert (sketched.sketch.ref, sketched.sketch.keys) == (SKETCH.ref, SKETCH.keys)


def test_sketches_of_a_proposal_become_those_of_what_is_registered(store: Store) -> None:
    made = kept(store, ProposedFeature(DIGEST, "ada", KNOWN, SKETCH))
    after = apply_plan(made.plan, compiled(view()), NamespaceState("flights"), NOON)
    live = replace(next(iter(after.features.values())), view="a", name="x", version=1)
    state = replace(NamespaceState("shop"), number=1, features={live.ref: live})
    with store.write() as transaction:
        transaction.save_state(NamespaceState("shop"), state)
        transaction.adopt_sketches(DIGEST, "shop", NOON)
    with store.read() as transaction:
        ((namespace, found),) = transaction.sketches("id")
    assert (namespace, found.ref) == ("shop", SKETCH.ref)


def test_what_a_closed_proposal_added_is_not_found(store: Store) -> None:
    made = kept(store, ProposedFeature(DIGEST, "ada", KNOWN, SKETCH))
    with store.write() as transaction:
        transaction.save_proposal(replace(made, status="rejected"))
    with store.read() as transaction:
        assert transaction.proposed_by_key(["k2"]) == []
        assert list(transaction.proposed_of("id")) == []
