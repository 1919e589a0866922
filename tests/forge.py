"""What GitHub says of pull requests, in the shapes that its documentation gives.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request and
https://docs.github.com/en/rest/pulls/reviews: only fields that jobs look at, and some that they
must not trip over.
"""

from typing import Any
from zlib import crc32

REPOSITORY = "shop/features"
API = f"https://api.github.com/repos/{REPOSITORY}"


def account(login: str, kind: str = "User") -> dict[str, Any]:
    return {"login": login, "id": crc32(login.encode()), "type": kind, "site_admin": False}


def pull_event(
    head: str,
    author: str = "ada-l",
    number: int = 7,
    action: str = "synchronize",
    updated_at: str = "2026-03-01T10:00:00Z",
    base: str = "main",
    fork: str | None = None,
    repository: str = REPOSITORY,
) -> dict[str, Any]:
    """A `pull_request` event; `fork` names the repository that the head comes from."""
    return {
        "action": action,
        "number": number,
        "pull_request": {
            "url": f"https://api.github.com/repos/{repository}/pulls/{number}",
            "number": number,
            "state": "open",
            "title": "Median delays",
            "user": account(author),
            "body": None,
            "updated_at": updated_at,
            "draft": False,
            "merged": False,
            "head": {
                "label": f"{author}:delays",
                "ref": "delays",
                "sha": head,
                "repo": {"full_name": fork or repository, "fork": fork is not None},
            },
            "base": {"label": f"shop:{base}", "ref": base, "sha": "b" * 40,
                     "repo": {"full_name": repository, "fork": False}},
        },
        "repository": {"id": 1, "full_name": repository, "private": False},
        "sender": account(author),
    }  # fmt: skip


def review(
    login: str,
    commit: str,
    state: str = "APPROVED",
    id: int = 80,
    number: int = 7,
    at: str = "2026-03-01T11:00:00Z",
    kind: str = "User",
    repository: str = REPOSITORY,
    body: str = "",
) -> dict[str, Any]:
    """One entry of `GET /repos/{owner}/{repo}/pulls/{number}/reviews`."""
    return {
        "id": id,
        "node_id": "MDE3OlB1bGxSZXF1ZXN0UmV2aWV3ODA=",
        "user": account(login, kind),
        "body": body,
        "state": state,
        "pull_request_url": f"https://api.github.com/repos/{repository}/pulls/{number}",
        "author_association": "MEMBER",
        "submitted_at": at,
        "commit_id": commit,
    }


def commit(sha: str, login: str | None, email: str) -> dict[str, Any]:
    """One entry of `GET /repos/{owner}/{repo}/pulls/{number}/commits`."""
    person = {"name": "x", "email": email, "date": "2026-03-01T09:00:00Z"}
    return {
        "sha": sha,
        "commit": {"author": person, "committer": person, "message": "m"},
        "author": account(login) if login else None,
        "committer": account("web-flow"),
    }
