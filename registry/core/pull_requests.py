"""Pull requests and their reviews, and which reviews are consent to the head commit. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from registry.core.definitions import Repository
from registry.core.findings import Finding
from registry.core.owners import Owners
from registry.core.similarity.likeness import AnswerKind

MOST_CHARACTERS = 65_536  # of a review; GitHub takes no longer one
_ANSWER = re.compile(
    r"/fieldhouse answer (?P<one>\S{1,450}) (?P<other>\S{1,450}) "
    r"(?P<kind>reuse|variant|supersedes|distinct) +(?:because +)?(?P<why>\S.*)",
    re.IGNORECASE,
)
DECISIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody on the forge, or something: a bot. The forge's number for it outlives its name; 0:
    not said."""

    login: str
    bot: bool = False
    id: int = field(default=0, compare=False)

    def same(self, other: "Account") -> bool:
        """Whether both are one account, renamed or in another spelling."""
        return self.login.lower() == other.login.lower() or 0 != self.id == other.id


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What the forge says of one pull request. `updated_at` is RFC 3339 text in UTC, as given."""

    repository: str
    number: int
    head: str
    base: str
    author: Account
    updated_at: str
    fork: bool = False

    @property
    def origin(self) -> str:
        """`owner/name#12`."""
        return f"{self.repository}#{self.number}"


@dataclass(frozen=True, slots=True)
class Review:
    """One review. `of` is the pull request that the forge says it belongs to, `owner/name#12`."""

    id: int
    reviewer: Account
    state: str
    commit: str
    at: str
    of: str
    body: str = ""

    @property
    def source(self) -> str:
        """The name by which a recorded approval remembers the review."""
        return f"{self.of} review {self.id}"


@dataclass(frozen=True, slots=True)
class Proposed:
    """The definitions of one commit, as the job without secrets read them. None: did not load."""

    commit: str
    repository: Repository | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """A review that is no consent, and why."""

    login: str
    why: str


def decisions(
    pull: PullRequest, reviews: Iterable[Review]
) -> tuple[tuple[Review, ...], tuple[Ignored, ...]]:
    """(approvals of the head commit, the others): the last word of each reviewer counts.

    A comment is no word. An approval that was dismissed, taken back by asking for changes, or given
    to an earlier commit is none; nor is the author's own or a bot's.
    """
    last: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda r: (r.at, r.id)):
        if review.state in DECISIONS:
            last[review.reviewer.login.lower()] = review
    good, ignored = [], []
    for login in sorted(last):
        why = _objection(pull, last[login])
        if why:
            ignored.append(Ignored(last[login].reviewer.login, why))
        else:
            good.append(last[login])
    return tuple(good), tuple(ignored)


def unfit(pull: PullRequest, review: Review) -> str:
    """Why a review is no word of a reviewer about the head commit; empty when it is one."""
    if review.reviewer.same(pull.author):
        return "it is the author's own"
    if review.reviewer.bot:
        return "a bot's approval never counts"
    if review.state == "DISMISSED":
        return "it was dismissed"
    if review.commit != pull.head:
        return f"it is of commit {review.commit[:8]}, not of the head {pull.head[:8]}"
    return ""


def _objection(pull: PullRequest, review: Review) -> str:
    asks = review.state == "CHANGES_REQUESTED"
    return unfit(pull, replace(review, commit=pull.head)) or (
        "it asks for changes" if asks else unfit(pull, review)
    )


def answers_in(review: Review) -> Iterator[tuple[str, str, AnswerKind, str]]:
    """(a feature, another, which it is, why) for each line of a review that answers a question:

    /fieldhouse answer copy:price euros:amount distinct because it is before tax
    """
    for line in review.body[:MOST_CHARACTERS].splitlines():
        found = _ANSWER.fullmatch(line.strip())
        if found is not None:
            kind: AnswerKind = found["kind"].lower()  # type: ignore[assignment]
            yield found["one"], found["other"], kind, found["why"]


def behind(owners: Owners, accounts: Iterable[Account], emails: Iterable[str]) -> tuple[str, ...]:
    """The subjects behind a pull request: its author, who pushed, who committed. An address is
    somebody's where `[people]` names it like a login."""
    names = [owners.subject(account.login) or f"@{account.login}" for account in accounts]
    written = [owners.subject(email) or email for email in emails]
    return tuple(dict.fromkeys([*names, *written]))


def problem(pull: PullRequest, proposed: Proposed, expected: Mapping[str, str]) -> str:
    """Why an event cannot be what it says; empty when nothing speaks against it.

    `expected` has this project's repository and base branch; an empty one is not compared.
    """
    if expected.get("repository") and pull.repository != expected["repository"]:
        return f"it is of repository {pull.repository}, this is {expected['repository']}"
    if expected.get("base") and pull.base != expected["base"]:
        return f"it goes to branch {pull.base}, features come from {expected['base']}"
    if pull.head != proposed.commit:
        return f"its head is {pull.head[:12]}, the definitions are of {proposed.commit[:12]}"
    return ""
