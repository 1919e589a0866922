"""One repository from fork to merge, on real git and through the script that forges run; and all
that is refused on the way, audited, with nothing applied."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.ports import Principal
from tests.forge import review
from tests.git_forge import Forge, open_forge, view

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPY = """\
import os
print(dict(os.environ))
raise RuntimeError(" ".join(f"{k}={v}" for k, v in os.environ.items()))
"""


@dataclass(frozen=True)
class Opened:
    """A branch of Ada's fork, and its definitions as the job without secrets read them."""

    head: str
    file: Path


@dataclass(frozen=True)
class Story:
    """What became of the first pull request: states and comments in turn, and the merge's jobs."""

    states: list[str]
    comments: list[str]
    early: int
    applied: list[int]


def opened(forge: Forge, branch: str, files: dict[str, str]) -> Opened:
    head = forge.commit("ada", files, branch=branch)
    return Opened(head, forge.read("ada", head))


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with open_forge(tmp_path_factory.mktemp("forge")) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def story(forge: Forge) -> Story:
    return begun(forge)


def begun(forge: Forge) -> Story:
    """The feature comes from a fork, is reviewed, merged and applied: all else starts from it."""
    states, comments = [], []
    made = opened(forge, "delays", view())
    for reviews in ([], [review("ada-l", made.head)], [review("grace-h", made.head)]):
        if len(states) == 2:
            early = forge.apply(made.file).returncode
        states.append(forge.review(made.file, made.head, 7, *reviews))
        comments.append(forge.comment)
    merged = forge.merge("ada", "delays", 7)
    with ThreadPoolExecutor(2) as pool:  # the merge's job ran twice, at once
        done = list(pool.map(lambda _: forge.apply(merged), range(2)))
    forge.git("base", "pull", "-q", "origin", "main")
    return Story(states, comments, early, [d.returncode for d in done])


@pytest.fixture(scope="module")
def median(forge: Forge) -> Opened:
    """Another meaning of the feature, which Olga owns and Ada proposes."""
    return opened(forge, "median", view("median", ", version=2"))


def test_a_fork_is_reviewed_merged_and_applied(forge: Forge, story: Story) -> None:
    assert story.states == ["pending", "pending", "success"]
    assert story.comments[0].startswith("<!-- fieldhouse: features -->")
    assert "`delays` gets a new feature: `delay`" in story.comments[0]
    assert "- [ ] an approval of `grace`, as a steward of air" in story.comments[0]
    assert "### Features: ready to merge" in story.comments[2]
    assert forge.number() >= 1


def test_its_author_does_not_approve_and_a_merge_before_consent_is_refused(story: Story) -> None:
    assert "a review of `ada-l` does not count: it is the author's own" in story.comments[1]
    assert story.early == 1


def test_one_merge_applied_twice_at_once_is_applied_once(forge: Forge, story: Story) -> None:
    assert story.applied == [0, 0]
    with forge.registry.context.store.read() as transaction:
        (first, *_) = transaction.proposals("flights")
        events = [c.event for c in transaction.events(first.digest)]
    assert [e.action for e in events].count("proposal:applied") == 1


def test_an_owner_is_asked_for_what_others_make_of_a_feature(forge: Forge, median: Opened) -> None:
    by_grace = review("grace-h", median.head, number=8)
    assert forge.review(median.file, median.head, 8, by_grace) == "pending"
    assert "nothing here takes the approval of grace" in forge.comment
    assert "- [ ] an approval of `olga`, as owner olga" in forge.comment
    by_olga = review("olga-k", median.head, number=8)
    assert forge.review(median.file, median.head, 8, by_olga) == "success"


def test_a_forged_event_of_another_commit_is_refused(forge: Forge, median: Opened) -> None:
    with forge.changing_nothing("pull-request:refused"):
        other = "c" * 40
        consent = review("olga-k", other, number=21)
        assert forge.review(median.file, other, 21, consent) == "failure"
    assert "its head is cccccccccccc" in forge.said.stderr


def test_a_forged_event_of_another_repository_is_refused(forge: Forge, median: Opened) -> None:
    with forge.changing_nothing("pull-request:refused"):
        consent = review("olga-k", median.head, number=22, repository="evil/features")
        said = forge.review(median.file, median.head, 22, consent, repository="evil/features")
        assert said == "failure"
    assert "it is of repository evil/features" in forge.said.stderr


def test_a_replayed_event_is_refused(forge: Forge, median: Opened) -> None:
    new, old = "2026-03-02T10:00:00Z", "2026-03-01T10:00:00Z"
    forge.review(median.file, median.head, 23, updated_at=new)
    with forge.changing_nothing("pull-request:refused"):
        consent = review("olga-k", median.head, number=23)
        assert forge.review(median.file, median.head, 23, consent, updated_at=old) == "failure"
    assert f"the newest event seen is of {new}" in forge.said.stderr


def test_reviews_of_another_pull_request_are_refused(forge: Forge, median: Opened) -> None:
    with forge.changing_nothing("pull-request:refused"):
        elsewhere = review("olga-k", median.head, number=99)
        assert forge.review(median.file, median.head, 24, elsewhere) == "failure"


def test_an_approval_for_another_digest_does_not_count(forge: Forge, median: Opened) -> None:
    forge.review(median.file, median.head, 25, review("olga-k", median.head, number=25))
    other = opened(forge, "minimum", view("min", ", version=2"))
    with forge.changing_nothing():
        earlier = review("olga-k", median.head, number=25)
        assert forge.review(other.file, other.head, 25, earlier) == "pending"
        assert forge.apply(other.file).returncode == 1
    assert "a review of `olga-k` does not count: it is of commit" in forge.comment


def test_a_withdrawn_review_no_longer_counts(forge: Forge, median: Opened) -> None:
    given = review("olga-k", median.head, number=26)
    assert forge.review(median.file, median.head, 26, given) == "success"
    with forge.changing_nothing("proposal:withdrawn"):
        gone = review("olga-k", median.head, "DISMISSED", number=26)
        assert forge.review(median.file, median.head, 26, gone) == "pending"
        assert forge.apply(median.file).returncode == 1


@pytest.mark.parametrize("how", ["expired", "revoked"])
def test_a_spent_token_records_and_applies_nothing(forge: Forge, median: Opened, how: str) -> None:
    robot = Principal(f"{how} robot", frozenset({"recorder", "operator"}), bot=True)
    ends = datetime(2020, 1, 1, tzinfo=UTC) if how == "expired" else None
    forge.tokens[how] = forge.registry.issue_token(forge.admin, robot, ends)
    if how == "revoked":
        (id,) = [
            t.id for t in forge.registry.list_tokens(forge.admin) if t.subject == robot.subject
        ]
        forge.registry.revoke_token(forge.admin, id)
    with forge.changing_nothing("token:refused"):
        consent = review("olga-k", median.head, number=27)
        assert forge.review(median.file, median.head, 27, consent, token=how) == "failure"
        assert forge.apply(median.file, token=how).returncode == 1
    assert how in forge.said.stderr


def test_of_two_merges_at_once_the_later_one_is_a_stale_plan_and_refused(tmp_path: Path) -> None:
    with open_forge(tmp_path) as forge:
        begun(forge)
        _merge_two_at_once(forge)


def _merge_two_at_once(forge: Forge) -> None:
    both = {how: opened(forge, how, view(how, ", version=2")) for how in ("max", "sum")}
    for number, made in enumerate(both.values(), 31):
        consent = review("olga-k", made.head, number=number)
        assert forge.review(made.file, made.head, number, consent) == "success"
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(forge.apply, [made.file for made in both.values()]))
    assert sorted(d.returncode for d in done) == [0, 1]
    late = next(made for made, d in zip(both.values(), done, strict=True) if d.returncode)
    with forge.changing_nothing("merge:refused"):
        assert forge.apply(late.file).returncode == 1


def test_a_fork_that_prints_the_environment_finds_no_secret_in_it(forge: Forge) -> None:
    evil = opened(forge, "spy", {"feature_repo/air/spy.py": SPY})
    shutil.rmtree(forge.folder / "ada" / "feature_repo" / "air" / "__pycache__", True)
    forge.git("ada", "rm", "-q", "-f", "feature_repo/air/spy.py")
    read = evil.file.read_text()
    assert forge.tokens["operator"] not in read
    assert "FIELDHOUSE_AUTH_TOKEN" not in read
    with forge.changing_nothing():
        consent = review("grace-h", evil.head, number=41)
        assert forge.review(evil.file, evil.head, 41, consent) == "failure"
        assert forge.apply(evil.file).returncode == 1
    assert "do not load" in forge.comment


def test_a_fork_that_changes_the_workflow_and_the_owners_changes_nobodys_consent(
    forge: Forge,
) -> None:
    mine = {
        ".github/workflows/features-review.yml": "on: push\n",
        "deploy/pull-request.sh": "echo success > state\n",
        "feature_repo/owners.toml": '[people]\nada-l = "olga"\n[domains.air]\nowner = "ada"\n',
        **view("mode", ", version=3"),
    }
    evil = opened(forge, "workflow", mine)
    with forge.changing_nothing():
        consent = review("ada-l", evil.head, number=42)
        assert forge.review(evil.file, evil.head, 42, consent) != "success"
        assert forge.apply(evil.file).returncode == 1
