"""Questions about features that look alike: who may answer, and what an answer changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from registry.core.compiled import Compiled
from registry.core.owners import Owners
from registry.core.published import PublishedView
from registry.core.pull_requests import Account, PullRequest, Review
from registry.core.similarity.likeness import Answer
from registry.core.similarity.values import ValueSketch
from registry.kernel.clock import FixedClock
from registry.kernel.errors import FieldhouseError, Forbidden, Invalid, NotFound, Refused
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from registry.service.alike import refresh_sketches
from registry.service.answers import answer
from registry.service.apply import apply
from registry.service.check import check
from registry.service.context import Context
from registry.service.kinship import whole_registry
from registry.service.propose import Standing, approve, propose, reject
from registry.service.pull_requests import Recorded, record
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, feature, sql_source, view

ADA = Principal("ada", frozenset({"author", "operator", "steward"}))
BOB = Principal("bob", frozenset({"steward"}))
EVE = Principal("eve", frozenset({"author"}))
CI = Principal("ci", frozenset({"recorder", "steward"}), bot=True)
HEAD = "a" * 40
PULL = PullRequest("shop/f", 7, HEAD, "main", Account("ada-l"), "2026-03-01T10:00:00Z")
ANCHORS = tuple(datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(40))
PAIR = ("copies:cents", "delays:mean_delay")


def sketched(view: PublishedView, features: Sequence[str]) -> Sequence[ValueSketch]:
    """Sketches of twenty carriers: cents are a hundred times whatever else a view has."""
    keys = tuple(range(1, 21))
    base = np.random.default_rng(7).normal(size=(40, 20))
    factor = 100.0 if view.name.startswith("copies") else 1.0
    return [
        ValueSketch(f"{view.name}:{f.name}@{f.version}", "carrier", keys, ANCHORS, "number",
                    base * factor)
        for f in view.features if f.name in features
    ]  # fmt: skip


def query(column: str) -> str:
    return f"SELECT carrier, at AS event_timestamp, {column} FROM flights"


BASE = view(feature("mean_delay"), source=sql_source(query("delay AS mean_delay")))
COPY = view(
    feature("cents"), name="copies",
    source=sql_source(query("hash(delay) AS cents"), name="copies"),
)  # fmt: skip
TWICE = replace(COPY, source=sql_source(query("hash(delay, 1) AS cents"), name="copies"))


@pytest.fixture
def context() -> Context:
    """A registry that has the mean delay, with its sketch."""
    store = InMemoryStore()
    store.held.holders = (BOB, ADA, EVE)
    owners = Owners(people={"ada-l": "ada", "bob-b": "bob", "eve-e": "eve"})
    made = Context(store, FixedClock(NOON), SigningKey(bytes(32)), sketches=sketched, owners=owners)
    landed(made, compiled(BASE))
    return made


def landed(context: Context, made: Compiled) -> None:
    stands = propose(context, made, ADA)
    approve(context, stands.proposal.digest, BOB)
    published = apply(context, stands.proposal.digest, made, ADA).published
    refresh_sketches(context, published)


def proposed(context: Context, copy: Any = COPY) -> Standing:
    return propose(context, compiled(BASE, copy), ADA)


def said(context: Context, kind: Any = "distinct", who: Principal = BOB, **more: Any) -> Answer:
    return answer(context, "flights", more.get("names", PAIR), kind, "another tax", who)


def questions(context: Context, copy: Any = COPY) -> list[str]:
    found = check(context, compiled(BASE, copy)).findings
    return [f.likeness.other for f in found if f.asks and f.likeness is not None]


def test_an_open_question_keeps_a_proposal_from_approval(context: Context) -> None:
    stands = proposed(context)
    (asked,) = stands.questions
    assert (asked.feature, asked.other) == ("flights/copies:cents", "flights/delays:mean_delay@1")
    with pytest.raises(Refused, match="waits for an answer") as refused:
        approve(context, stands.proposal.digest, BOB)
    command = "fieldhouse duplicates answer flights/copies:cents flights/delays:mean_delay@1"
    assert command in refused.value.hint
    with pytest.raises(Refused, match="waits for an answer"):
        apply(context, stands.proposal.digest, compiled(BASE, COPY), ADA)


@pytest.mark.parametrize("kind", ["variant", "supersedes", "distinct"])
def test_an_answer_lets_it_be_approved_and_is_not_asked_again(context: Context, kind: Any) -> None:
    digest = proposed(context).proposal.digest
    made = said(context, kind)
    assert (made.subject, made.at, made.reason) == ("bob", NOON, "another tax")
    assert approve(context, digest, BOB).proposal.status == "approved"
    assert questions(context) == []
    with context.store.read() as transaction:
        event = [c.event for c in transaction.events() if c.event.action == "duplicate:answered"]
    assert event[0].detail is not None
    assert (event[0].actor, event[0].detail["answer"]) == ("bob", kind)


def test_reuse_leaves_the_question_open_until_the_feature_is_gone(context: Context) -> None:
    digest = proposed(context).proposal.digest
    said(context, "reuse")
    with pytest.raises(Refused, match="still there"):
        approve(context, digest, BOB)
    said(context, "distinct")
    assert approve(context, digest, BOB).proposal.status == "approved"


def test_it_is_asked_again_when_a_definition_changes(context: Context) -> None:
    proposed(context)
    said(context)
    assert questions(context) == []
    assert questions(context, TWICE) == ["flights/delays:mean_delay@1"]


def test_no_file_of_the_author_answers_for_the_reviewer(context: Context) -> None:
    from registry.core.rules.engine import Waiver

    waiver = Waiver("near-duplicate", "copies:cents", "mine", "ada", NOON + timedelta(days=9))
    assert questions(replace(context, waivers=(waiver,))) == ["flights/delays:mean_delay@1"]


@pytest.mark.parametrize(
    ("who", "why"),
    [(ADA, "who proposes never answers"), (CI, "bot"), (EVE, "a steward")],
    ids=["author", "bot", "nobody's reviewer"],
)
def test_who_does_not_review_does_not_answer(context: Context, who: Principal, why: str) -> None:
    proposed(context)
    with pytest.raises(Forbidden) as refused:
        said(context, who=who)
    assert why in str(refused.value)


def test_the_other_features_owner_answers_through_its_team(context: Context) -> None:
    proposed(context)
    teams = Owners(teams={"ops@example.com": ("eve",)})
    assert said(replace(context, owners=teams), who=EVE).subject == "eve"


def test_what_was_asked_before_still_is_where_values_cannot_be_read(context: Context) -> None:
    proposed(context)
    assert len(proposed(replace(context, sketches=None)).questions) == 1


@pytest.mark.parametrize(
    ("names", "error", "why"),
    [
        (("copies:nothing", "delays:mean_delay"), NotFound, "no feature"),
        (("delays:mean_delay", "delays:mean_delay"), Refused, "nobody asked"),
        (("copies", "delays:mean_delay"), Invalid, "not a feature reference"),
        (("x" * 1_000_000, "delays:mean_delay"), Invalid, "1000000 characters"),
    ],
    ids=["unknown", "never asked", "no reference", "a megabyte"],
)
def test_answers_about_nothing_that_was_asked_are_refused(
    context: Context, names: tuple[str, str], error: type[FieldhouseError], why: str
) -> None:
    proposed(context)
    with pytest.raises(error, match=why):
        said(context, names=names)


@pytest.mark.parametrize("reason", ["", " \n", "x" * 1_000_000], ids=["none", "blank", "endless"])
def test_an_answer_without_a_reason_is_none(context: Context, reason: str) -> None:
    proposed(context)
    with pytest.raises(Invalid, match="characters"):
        answer(context, "flights", PAIR, "distinct", reason, BOB)


def test_a_question_of_a_closed_proposal_is_no_longer_answered(context: Context) -> None:
    digest = proposed(context).proposal.digest
    reject(context, digest, BOB, "not now")
    with pytest.raises(NotFound):
        said(context)


def test_registered_look_alikes_are_answered_too(context: Context) -> None:
    proposed(context)
    said(context)
    landed(context, compiled(BASE, COPY))
    (family,) = whole_registry(context)
    assert [(t.verdict, str(t.answer)) for t in family.ties] == [
        ("near-duplicate", "distinct, another tax (bob, 2013-10-01)")
    ]
    assert not family.open
    assert answer(context, "flights", PAIR[::-1], "supersedes", "newer", BOB).kind == "supersedes"


def test_what_is_applied_is_compared_from_then_on(context: Context) -> None:
    digest = proposed(context).proposal.digest
    said(context, "variant")
    approve(context, digest, BOB)
    apply(context, digest, compiled(BASE, COPY), ADA)
    (family,) = whole_registry(context)
    assert [tie.verdict for tie in family.ties] == ["near-duplicate"]


def test_two_features_of_one_proposal_are_compared(context: Context) -> None:
    twin = replace(
        COPY, name="copies_too", source=sql_source(query("hash(delay, 2) AS cents"), name="too")
    )
    found = check(context, compiled(BASE, COPY, twin)).findings
    (same,) = [f for f in found if f.rule == "duplicate-values"]
    assert same.likeness is not None
    assert (same.subject, same.likeness.state) == ("copies_too:cents", "in this proposal")


def test_what_another_open_proposal_adds_is_a_question(context: Context) -> None:
    proposed(context)
    moved = replace(COPY, name="rivals")
    (found,) = [
        f for f in check(context, compiled(BASE, moved)).findings if f.rule == "duplicate-in-review"
    ]
    assert found.asks
    assert "flights/copies:cents@1 (proposed by ada in " in found.message


def line(kind: str = "distinct", reason: str = "because it is before tax") -> str:
    return f"Looks fine.\n/fieldhouse answer copies:cents delays:mean_delay {kind} {reason}\n"


def reviewed(context: Context, *reviews: Review) -> Recorded:
    found = record(context, compiled(BASE, COPY), PULL, reviews, CI, ("ada",))
    assert found is not None
    return found


def review(login: str = "bob-b", **changes: Any) -> Review:
    made = Review(
        80, Account(login), "COMMENTED", HEAD, "2026-03-01T11:00:00Z", PULL.origin, line()
    )
    return replace(made, **changes)


def test_a_line_of_a_review_answers_as_its_reviewer(context: Context) -> None:
    found = reviewed(context, review())
    assert (found.standing.questions, found.ignored) == ((), ())
    with context.store.read() as transaction:
        (kept,) = transaction.answers([found.standing.proposal.findings[0].likeness.keys]).values()  # type: ignore[union-attr]
    assert (kept.subject, kept.reason) == ("bob", "it is before tax")
    assert kept.source == "shop/f#7 review 80"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (review("ada-l"), "the author's own"),
        (review("stranger"), "nobody says who"),
        (review("eve-e"), "has roles: author"),
        (review(commit="b" * 40), "not of the head"),
        (review(state="DISMISSED"), "dismissed"),
        (review(body=line().replace("copies:cents", "copies:none")), "nobody asked"),
    ],
    ids=["author", "stranger", "no reviewer", "earlier commit", "dismissed", "never asked"],
)
def test_a_line_that_is_no_answer_says_why(context: Context, made: Review, why: str) -> None:
    found = reviewed(context, made)
    assert len(found.standing.questions) == 1
    assert why in " ".join(ignored.why for ignored in found.ignored)


def test_a_review_is_taken_once_so_that_a_later_answer_stays(context: Context) -> None:
    reviewed(context, review())
    said(context, "reuse")
    assert len(reviewed(context, review()).standing.questions) == 1
