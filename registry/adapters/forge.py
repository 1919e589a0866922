"""Reads what a forge says (GitHub's events and API answers, in JSON; Gitea's are alike), and what
the job without secrets wrote. It all comes from outside: shapes are checked, nothing is believed.
"""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from registry.core.pull_requests import Account, Proposed, PullRequest, Review
from registry.kernel.errors import Invalid, Misuse

T = TypeVar("T")
_NAME = r"[\w.-]+"
_PULL = re.compile(
    rf"https?://[^/\s]+(?:/api(?:/v\d+)?)?(?:/repos)?/(?P<repository>{_NAME}(?:/{_NAME})+)"
    r"/pulls/(?P<number>\d+)",
    re.ASCII,
)
MOST_BYTES = 64 * 1024 * 1024


class _User(msgspec.Struct):
    login: str
    type: str = "User"
    id: int = 0


class _Repo(msgspec.Struct):
    full_name: str


class _Side(msgspec.Struct):
    sha: str
    ref: str
    repo: _Repo | None = None


class _Pull(msgspec.Struct):
    number: int
    user: _User
    head: _Side
    base: _Side
    updated_at: str


class _Event(msgspec.Struct):
    pull_request: _Pull
    repository: _Repo


class _Review(msgspec.Struct):
    id: int
    user: _User | None
    state: str
    pull_request_url: str
    commit_id: str | None = None
    submitted_at: str | None = None
    body: str | None = None
    dismissed: bool = False  # Gitea's; GitHub says it by the state


class _Person(msgspec.Struct):
    email: str = ""


class _CommitBody(msgspec.Struct):
    author: _Person | None = None


class _Commit(msgspec.Struct):
    sha: str
    commit: _CommitBody
    author: _User | None = None
    committer: _User | None = None


def read_pull_request(file: Path) -> PullRequest:
    """The pull request of an event (`pull_request`, `pull_request_review`) or of an API answer."""
    raw = _bytes(file)
    if "pull_request" in _decoded(raw, dict[str, Any], file):
        event = _decoded(raw, _Event, file)
        pull, repository = event.pull_request, event.repository.full_name
    else:
        pull = _decoded(raw, _Pull, file)
        repository = ""
    base = pull.base.repo.full_name if pull.base.repo is not None else ""
    if repository and base and repository != base:
        raise Invalid(f"the pull request in {file} goes to {base}", f"its event is of {repository}")
    head = pull.head.repo.full_name if pull.head.repo is not None else ""
    return PullRequest(
        repository=base or repository,
        number=pull.number,
        head=pull.head.sha,
        base=pull.base.ref,
        author=_account(pull.user),
        updated_at=pull.updated_at,
        fork=head != (base or repository),
    )


def read_reviews(file: Path) -> tuple[Review, ...]:
    """The reviews of a pull request, as the forge's API lists them. A ghost's are left out."""
    found = _decoded(_bytes(file), list[_Review], file)
    return tuple(
        Review(
            id=review.id,
            reviewer=_account(review.user),
            state="DISMISSED" if review.dismissed else _state(review.state),
            commit=review.commit_id or "",
            at=review.submitted_at or "",
            of=_origin(review.pull_request_url, file),
            body=review.body or "",
        )
        for review in found
        if review.user is not None
    )


def read_committers(file: Path) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    """(accounts, e-mail addresses) of those who wrote a pull request's commits."""
    commits = _decoded(_bytes(file), list[_Commit], file)
    accounts = [u for c in commits for u in (c.author, c.committer) if u is not None]
    emails = [c.commit.author.email for c in commits if c.commit.author and c.commit.author.email]
    return tuple(dict.fromkeys(map(_account, accounts))), tuple(dict.fromkeys(emails))


def read_proposed(file: Path) -> Proposed:
    """What `write_proposed` wrote, somewhere where nothing can be trusted."""
    return _decoded(_bytes(file), Proposed, file)


def write_proposed(proposed: Proposed) -> str:
    """The definitions of a commit as JSON."""
    return msgspec.json.encode(proposed, order="deterministic").decode()


def _account(user: _User) -> Account:
    return Account(user.login, user.type != "User" or user.login.endswith("[bot]"), user.id)


def _state(said: str) -> str:
    """GitHub's word for what a review says: Gitea has another one for this."""
    state = said.upper()
    return "CHANGES_REQUESTED" if state == "REQUEST_CHANGES" else state


def _origin(url: str, file: Path) -> str:
    """`owner/name#12` of `https://api.github.com/repos/owner/name/pulls/12`, or of the page
    `https://gitea.example/owner/name/pulls/12`. GitLab's projects may lie in groups of groups."""
    found = _PULL.fullmatch(url)
    if found is not None:
        return f"{found['repository']}#{int(found['number'])}"
    raise Invalid(f"a review in {file} belongs to {url!r}", "that is no pull request")


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise Misuse(f"there is no file {file}")
    if file.stat().st_size > MOST_BYTES:
        raise Invalid(f"{file} is too large", f"at most {MOST_BYTES} bytes are read")
    return file.read_bytes()


def _decoded(raw: bytes, kind: type[T], file: Path) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} is not what a forge says", str(error)) from error
