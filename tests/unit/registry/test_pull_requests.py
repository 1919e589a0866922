import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.adapters.forge import (
    read_committers,
    read_proposed,
    read_pull_request,
    read_reviews,
    write_proposed,
)
from registry.core.compiled import Compiled
from registry.core.owners import Owners
from registry.core.published import PublishedView
from registry.core.pull_requests import (
    Account,
    Proposed,
    PullRequest,
    Review,
    behind,
    decisions,
    problem,
)
from registry.core.similarity.values import ValueSketch
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Conflict, Invalid, Refused
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from registry.service.context import Context
from registry.service.propose import approve, reject
from registry.service.pull_requests import Recorded, believe, merge, record
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, feature, repository, view
from tests.forge import REPOSITORY, commit, pull_event, review

HEAD, EARLIER = "a" * 40, "e" * 40
PULL = PullRequest(REPOSITORY, 7, HEAD, "main", Account("ada-l"), "2026-03-01T10:00:00Z")
CI = Principal("ci", frozenset({"recorder", "operator"}), bot=True)
STEWARD = Principal("grace", frozenset({"steward"}))
PEOPLE = {"ada-l": "ada", "grace-h": "grace", "bob-b": "bob", "robot": "robot"}
MADE = compiled(view())
OTHER = compiled(view(feature("mean_delay"), name="more_delays"))


@pytest.fixture
def store() -> InMemoryStore:
    store = InMemoryStore()
    ada = Principal("ada", frozenset({"steward", "author"}))
    store.held.holders = (STEWARD, ada, Principal("robot", frozenset({"steward"}), bot=True))
    return store


@pytest.fixture
def context(store: InMemoryStore) -> Context:
    key = SigningKey(bytes(32))
    return Context(store, FixedClock(NOON), key, owners=Owners(people=PEOPLE))


def written(folder: Path, document: Any) -> Path:
    file = folder / "said.json"
    file.write_text(json.dumps(document))
    return file


def given(login: str = "grace-h", state: str = "APPROVED", **changes: Any) -> Review:
    made = Review(80, Account(login), state, HEAD, "2026-03-01T11:00:00Z", PULL.origin)
    return replace(made, **changes)


def recorded(context: Context, *reviews: Review, pull: PullRequest = PULL) -> Recorded:
    return given_to(context, MADE, pull, *reviews)


def given_to(
    context: Context, made: Compiled, pull: PullRequest, *reviews: Review, by: str = "ada"
) -> Recorded:
    found = record(context, made, pull, reviews, CI, (by,))
    assert found is not None
    return found


def actions(context: Context) -> list[str]:
    with context.store.read() as transaction:
        return [chained.event.action for chained in transaction.events()]


def test_an_event_is_read_as_github_sends_it(tmp_path: Path) -> None:
    event = pull_event(HEAD, fork="ada-l/features")
    assert read_pull_request(written(tmp_path, event)) == replace(PULL, fork=True)


def test_the_apis_answer_is_read_like_an_event(tmp_path: Path) -> None:
    assert read_pull_request(written(tmp_path, pull_event(HEAD)["pull_request"])) == PULL


def test_reviews_are_read_as_the_api_lists_them(tmp_path: Path) -> None:
    found = read_reviews(written(tmp_path, [review("grace-h", HEAD), review("b[bot]", HEAD)]))
    assert found == (given(), given("b[bot]", reviewer=Account("b[bot]", bot=True)))


def test_gitea_says_the_same_in_words_of_its_own(tmp_path: Path) -> None:
    page = f"https://gitea.example/{REPOSITORY}/pulls/7"
    asks = {**review("grace-h", HEAD, "REQUEST_CHANGES"), "pull_request_url": page}
    gone = {**review("grace-h", HEAD), "pull_request_url": page, "dismissed": True}
    found = read_reviews(written(tmp_path, [asks, gone]))
    assert [(r.state, r.of) for r in found] == [
        ("CHANGES_REQUESTED", PULL.origin),
        ("DISMISSED", PULL.origin),
    ]


@pytest.mark.parametrize("url", ["", "ftp://x/a/b/pulls/7", "https://x/pulls/7", "https://x/a/b/7"])
def test_a_review_of_what_is_no_pull_request_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(Invalid, match="belongs to"):
        read_reviews(written(tmp_path, [{**review("grace-h", HEAD), "pull_request_url": url}]))


def test_committers_are_read_with_their_addresses(tmp_path: Path) -> None:
    file = written(tmp_path, [commit(HEAD, "bob-b", "bob@x.y"), commit(EARLIER, None, "eve@x.y")])
    accounts, emails = read_committers(file)
    names = behind(Owners(people=PEOPLE), accounts, emails)
    assert names == ("bob", "@web-flow", "bob@x.y", "eve@x.y")


@pytest.mark.parametrize(
    "document",
    [[], {"pull_request": {}}, {"number": "seven"}, pull_event(HEAD) | {"repository": None}],
    ids=["a list", "empty", "no number", "no repository"],
)
def test_what_no_forge_says_is_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(Invalid, match="not what a forge says"):
        read_pull_request(written(tmp_path, document))


def test_definitions_come_back_as_they_were_written(tmp_path: Path) -> None:
    proposed = Proposed(HEAD, repository(view()))
    file = tmp_path / "definitions.json"
    file.write_text(write_proposed(proposed))
    assert read_proposed(file) == proposed


@pytest.mark.parametrize(
    ("reviews", "why"),
    [
        ([given("ADA-L")], "the author's own"),
        ([given(reviewer=Account("grace-h", bot=True))], "a bot's"),
        ([given(commit=EARLIER)], "not of the head"),
        ([given(state="DISMISSED")], "dismissed"),
        ([given(), given(state="CHANGES_REQUESTED", id=81)], "asks for changes"),
    ],
    ids=["author", "bot", "earlier commit", "dismissed", "taken back"],
)
def test_a_review_that_is_no_consent_says_why(reviews: list[Review], why: str) -> None:
    good, (ignored,) = decisions(PULL, reviews)
    assert good == ()
    assert why in ignored.why


def test_a_comment_after_an_approval_takes_nothing_back() -> None:
    good, ignored = decisions(PULL, [given(), given(state="COMMENTED", id=81)])
    assert (len(good), ignored) == (1, ())


@pytest.mark.parametrize(
    ("pull", "said"),
    [
        (replace(PULL, repository="eve/features"), "this is shop/features"),
        (replace(PULL, base="release"), "features come from main"),
        (replace(PULL, head=EARLIER), "the definitions are of"),
    ],
)
def test_an_event_that_does_not_fit_is_refused_and_audited(
    context: Context, pull: PullRequest, said: str
) -> None:
    expected = {"repository": REPOSITORY, "base": "main"}
    proposed = Proposed(HEAD, MADE.repository)
    assert problem(PULL, proposed, expected) == ""
    with pytest.raises(Refused, match=said):
        believe(context, pull, proposed, "flights", expected, CI)
    assert actions(context) == ["pull-request:refused"]


def test_definitions_of_another_namespace_are_refused(context: Context) -> None:
    proposed = Proposed(HEAD, repository(view(), namespace="hotels"))
    with pytest.raises(Refused, match="of namespace hotels"):
        believe(context, PULL, proposed, "flights", {}, CI)


def test_a_review_of_the_head_approves_its_plan(context: Context) -> None:
    found = recorded(context, given())
    assert (found.standing.proposal.status, found.ignored) == ("approved", ())
    assert found.standing.proposal.proposers == ("ci", "ada")
    assert actions(context)[-1] == "proposal:approved"
    applied = merge(context, MADE, CI)
    assert applied is not None
    assert applied.changed


def test_recording_looks_at_the_values_once(context: Context) -> None:
    asked: list[str] = []

    def sketch(view: PublishedView, features: Sequence[str]) -> list[ValueSketch]:
        asked.append(view.name)
        return []

    recorded(replace(context, sketches=sketch), given())
    assert asked == ["delays"]


def test_a_withdrawn_review_no_longer_counts(context: Context) -> None:
    recorded(context, given())
    found = recorded(context, given(state="DISMISSED"))
    assert (found.standing.proposal.status, found.standing.approvals) == ("checked", ())
    assert actions(context)[-1] == "proposal:withdrawn"
    with pytest.raises(Refused, match="not approved"):
        merge(context, MADE, CI)
    assert actions(context)[-1] == "merge:refused"


@pytest.mark.parametrize(
    ("reviewer", "why"),
    [("stranger", "nobody says who"), ("robot", "bot"), ("bob-b", "nothing here takes")],
)
def test_a_reviewer_who_may_not_is_named(context: Context, reviewer: str, why: str) -> None:
    found = recorded(context, given(reviewer))
    assert found.standing.approvals == ()
    assert why in found.ignored[0].why


def test_an_author_does_not_approve_by_a_second_login(context: Context) -> None:
    owners = Owners(people={**PEOPLE, "ada-too": "Ada"})
    found = recorded(replace(context, owners=owners), given("ada-too"))
    assert "who proposes never approves" in found.ignored[0].why


@pytest.mark.parametrize(
    ("author", "reviewer"),
    [
        (Account("Ada-L"), Account("ada-l")),
        (Account("ada-l", id=5), Account("ada-renamed", id=5)),
        (Account("ada-l", id=5), Account("GRACE-H", id=5)),
    ],
)
def test_a_renamed_account_or_another_spelling_is_still_the_author(
    context: Context, author: Account, reviewer: Account
) -> None:
    pull = replace(PULL, author=author)
    found = given_to(context, MADE, pull, given(reviewer=reviewer), by="somebody")
    assert found.standing.approvals == ()
    assert found.ignored[0].why == "it is the author's own"


def test_a_login_that_is_not_known_any_more_approves_nothing(context: Context) -> None:
    renamed = Owners(people={"grace-renamed": "grace"})
    found = recorded(replace(context, owners=renamed), given("grace-h"))
    assert "nobody says who that is" in found.ignored[0].why


def test_whoever_was_behind_an_earlier_plan_stays_behind_the_next(context: Context) -> None:
    given_to(context, MADE, PULL, by="grace")
    found = given_to(context, OTHER, replace(PULL, head=EARLIER))
    assert found.standing.proposal.by("grace")


def test_a_review_of_another_plan_of_the_same_commit_is_spent(context: Context) -> None:
    recorded(context, given())
    found = given_to(context, OTHER, PULL, given())
    assert found.standing.approvals == ()
    assert "another plan" in found.ignored[0].why
    again = given_to(context, OTHER, PULL, given(), given(id=81))
    assert again.standing.proposal.status == "approved"


def test_a_replayed_event_is_refused(context: Context) -> None:
    recorded(context, given(), pull=replace(PULL, updated_at="2026-03-02T10:00:00Z"))
    with pytest.raises(Refused, match="newest event seen"):
        recorded(context, given())


def test_reviews_of_another_pull_request_are_refused(context: Context) -> None:
    with pytest.raises(Refused, match="shop/features#8"):
        recorded(context, given(of="shop/features#8"))
    assert actions(context) == ["pull-request:refused"]


def test_a_rejected_plan_is_not_reopened_by_a_job(context: Context) -> None:
    digest = recorded(context).standing.proposal.digest
    reject(context, digest, STEWARD, "not now")
    with pytest.raises(Refused, match="was rejected"):
        recorded(context, given())


def test_an_approval_by_command_outlives_reviews(context: Context) -> None:
    digest = recorded(context).standing.proposal.digest
    approve(context, digest, STEWARD)
    assert recorded(context, given()).standing.proposal.status == "approved"
    assert recorded(context, given(state="DISMISSED")).standing.proposal.status == "approved"


def test_a_merge_of_what_nobody_reviewed_is_refused(context: Context) -> None:
    recorded(context, given())
    with pytest.raises(Conflict, match="no proposal has plan"):
        merge(context, OTHER, CI)
    assert actions(context)[-1] == "merge:refused"


def test_a_merge_that_changes_nothing_is_no_error(context: Context) -> None:
    recorded(context, given())
    merge(context, MADE, CI)
    assert merge(context, MADE, CI) is None
    assert record(context, MADE, PULL, [given()], CI, ("ada",)) is None
