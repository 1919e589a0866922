"""Takes GitLab's merge requests through review; see docs/pull-requests.md. Needs Python alone.

    gitlab.py review     record and comment every open merge request to the default branch; run it
                         in a scheduled pipeline of that branch

The environment has GitLab's own variables (CI_API_V4_URL, CI_PROJECT_ID, CI_PROJECT_PATH,
CI_DEFAULT_BRANCH), FORGE_TOKEN (a project access token with scope api), and what
deploy/pull-request.sh takes. Everything is asked of GitLab's API; of the merge request's own jobs
only the definitions are taken, as data.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

SCRIPT = Path(__file__).resolve().parent / "pull-request.sh"
JOB = "definitions"
FILE = "definitions.json"
PAGE = 100
_PUSHED = re.compile(r"added \d+ commits?\b")
_STATES = {"success": "success", "pending": "running", "failure": "failed"}


@dataclass(frozen=True, slots=True)
class GitLab:
    """GitLab's API for one project."""

    api: str
    project: str
    path: str
    token: str

    def call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> bytes:
        request = Request(f"{self.api}/{url}", method=method)
        request.add_header("PRIVATE-TOKEN", self.token)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def get(self, url: str) -> Any:
        return json.loads(self.call("GET", f"projects/{self.project}/{url}"))

    def all(self, url: str, **asked: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        page = 1
        while True:
            query = urlencode({**asked, "per_page": str(PAGE), "page": str(page)})
            found = self.get(f"{url}?{query}")
            yield from found
            if len(found) < PAGE:
                return
            page += 1


def review(gitlab: GitLab, branch: str) -> int:
    """Review every open merge request; gives how many could not be."""
    failed = 0
    opened = list(gitlab.all("merge_requests", state="opened", target_branch=branch))
    for number in sorted(int(request["iid"]) for request in opened):
        try:
            said = reviewed(gitlab, number)
        except (OSError, KeyError, ValueError) as error:
            failed += 1
            said = f"failed: {type(error).__name__}: {error}"
        print(f"!{number}: {said}", flush=True)  # noqa: T201
    return failed


def reviewed(gitlab: GitLab, number: int) -> str:
    """Record one merge request's head, put its comment in place, and set the commit's status."""
    request = gitlab.get(f"merge_requests/{number}")
    definitions = artifact(gitlab, request)
    if definitions is None:
        return "its definitions have not been read yet"
    notes = list(gitlab.all(f"merge_requests/{number}/notes", sort="asc", order_by="created_at"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / FILE).write_bytes(definitions)
        documents = {
            "event": event(gitlab, request),
            "reviews": reviews(gitlab, request, notes),
            "commits": commits(gitlab, request, notes),
        }
        for name, document in documents.items():
            (folder / f"{name}.json").write_text(json.dumps(document))
        given = [str(folder / FILE), *(str(folder / f"{name}.json") for name in documents)]
        subprocess.run(["sh", str(SCRIPT), "review", *given, str(folder / "out")], check=True)
        put_comment(gitlab, number, notes, (folder / "out" / "comment.md").read_text())
        state = (folder / "out" / "state").read_text().strip()
    put_status(gitlab, request, state)
    return state


def artifact(gitlab: GitLab, request: Mapping[str, Any]) -> bytes | None:
    """The definitions that a pipeline of the head commit read; None when none has yet."""
    head = request["sha"]
    for pipeline in gitlab.get(f"merge_requests/{request['iid']}/pipelines"):
        if pipeline["sha"] != head or pipeline["status"] != "success":
            continue
        project = pipeline["project_id"]  # a fork's pipeline may run in the fork
        listed = gitlab.call(
            "GET", f"projects/{project}/pipelines/{pipeline['id']}/jobs?per_page={PAGE}"
        )
        for job in json.loads(listed):
            if job["name"] == JOB and job["status"] == "success":
                return gitlab.call("GET", f"projects/{project}/jobs/{job['id']}/artifacts/{FILE}")
    return None


def event(gitlab: GitLab, request: Mapping[str, Any]) -> dict[str, Any]:
    """The merge request as GitHub's API would give it."""
    here = request["source_project_id"] == request["target_project_id"]
    return {
        "number": request["iid"],
        "user": account(request["author"]),
        "updated_at": request["updated_at"],
        "head": {
            "sha": request["sha"],
            "ref": request["source_branch"],
            "repo": {"full_name": gitlab.path if here else f"{request['source_project_id']}"},
        },
        "base": {"sha": "", "ref": request["target_branch"], "repo": {"full_name": gitlab.path}},
    }


def reviews(
    gitlab: GitLab, request: Mapping[str, Any], notes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Approvals and comments as GitHub's reviews. GitLab does not say which commit they are of: it
    is the head's when they came after it did, by GitLab's own clock."""
    versions = gitlab.all(f"merge_requests/{request['iid']}/versions")
    heads = [v["created_at"] for v in versions if v["head_commit_sha"] == request["sha"]]
    since = max(map(datetime.fromisoformat, heads))
    approvals = gitlab.get(f"merge_requests/{request['iid']}/approvals")["approved_by"]
    given = [
        (index, a["user"], "APPROVED", a.get("approved_at") or "", "")
        for index, a in enumerate(approvals, 1)
    ]
    given += [
        (note["id"], note["author"], "COMMENTED", note["created_at"], note["body"])
        for note in notes
        if not note["system"]
    ]
    url = f"{gitlab.api}/repos/{gitlab.path}/pulls/{request['iid']}".replace("/api/v4", "")
    return [
        {
            "id": number,
            "user": account(user),
            "state": state,
            "submitted_at": at,
            "commit_id": request["sha"] if at and datetime.fromisoformat(at) > since else "",
            "pull_request_url": url,
            "body": body,
        }
        for number, user, state, at, body in given
    ]


def commits(
    gitlab: GitLab, request: Mapping[str, Any], notes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Who wrote the commits, by address, and who pushed them, by GitLab's own notes of it."""
    written = [
        {"sha": commit["id"], "commit": {"author": {"email": email}}}
        for commit in gitlab.all(f"merge_requests/{request['iid']}/commits")
        for email in {commit["author_email"], commit["committer_email"]}
    ]
    pushed = [
        {"sha": request["sha"], "commit": {}, "author": account(note["author"])}
        for note in notes
        if note["system"] and _PUSHED.match(note["body"])
    ]
    return [*written, *pushed]


def account(user: Mapping[str, Any]) -> dict[str, Any]:
    """GitLab's access tokens act as users that are called `project_…_bot_…`."""
    bot = re.match(r"(project|group)_\d+_bot", user["username"]) is not None
    return {"login": user["username"], "type": "Bot" if bot else "User", "id": user["id"]}


def put_comment(gitlab: GitLab, number: int, notes: list[dict[str, Any]], text: str) -> None:
    """Put the comment in place of the one before: the first note of our own with its marker."""
    marker = text.splitlines()[0]
    me = json.loads(gitlab.call("GET", "user"))["id"]
    known = [n["id"] for n in notes if n["author"]["id"] == me and n["body"].startswith(marker)]
    url = f"projects/{gitlab.project}/merge_requests/{number}/notes"
    if known:
        gitlab.call("PUT", f"{url}/{known[0]}", {"body": text})
    else:
        gitlab.call("POST", url, {"body": text})


def put_status(gitlab: GitLab, request: Mapping[str, Any], state: str) -> None:
    """Set the status `fieldhouse/consent` of the head commit, in the project that has it."""
    body = {"state": _STATES[state], "name": "fieldhouse/consent", "ref": request["source_branch"]}
    try:
        place = f"projects/{request['source_project_id']}/statuses/{request['sha']}"
        gitlab.call("POST", place, body)
    except HTTPError as error:  # a status that is already so is refused
        if error.code not in (400, 403, 404):
            raise


def main(words: list[str]) -> int:
    if words != ["review"]:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    environ = os.environ
    gitlab = GitLab(
        environ["CI_API_V4_URL"],
        environ["CI_PROJECT_ID"],
        environ["CI_PROJECT_PATH"],
        environ["FORGE_TOKEN"],
    )
    return 1 if review(gitlab, environ.get("CI_DEFAULT_BRANCH", "main")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
