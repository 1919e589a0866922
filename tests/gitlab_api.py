"""GitLab's API over HTTP: one project with one merge request, in the shapes that its pages give.

https://docs.gitlab.com/api/merge_requests/, …/merge_request_approvals/, …/notes/, …/pipelines/ and
…/commits/#set-commit-pipeline-status: only what deploy/gitlab.py asks.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

BOT = {"id": 99, "username": "project_5_bot_0a1b", "name": "fieldhouse"}
MORNING, NOON, LATER = (f"2026-03-01T{hour}:00:00.000+01:00" for hour in ("08", "12", "15"))
TOKEN = "glpat-x"


def user(name: str) -> dict[str, Any]:
    return {"id": crc32(name.encode()), "username": name, "name": name, "state": "active"}


@dataclass
class GitLab:
    """What the project holds. `head` was pushed at noon."""

    head: str
    definitions: bytes
    number: int = 7
    address: str = ""
    approvals: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)

    def approve(self, name: str, at: str = LATER) -> None:
        self.approvals.append({"user": user(name), "approved_at": at})

    def note(self, author: dict[str, Any], body: str, system: bool = False) -> None:
        self.notes.append(
            {"id": 300 + len(self.notes), "body": body, "author": author, "system": system,
             "created_at": LATER}
        )  # fmt: skip

    def answer(self, method: str, path: str, body: Any) -> Any:
        """What a route says; None where there is none."""
        request = f"projects/5/merge_requests/{self.number}"
        for pattern, said in (
            (r"GET user", lambda: BOT),
            (r"GET projects/5/merge_requests", lambda: [{"iid": self.number}]),
            (rf"GET {request}", self._request),
            (rf"GET {request}/pipelines", self._pipelines),
            (r"GET projects/5/pipelines/41/jobs", self._jobs),
            (r"GET projects/5/jobs/51/artifacts/definitions.json", lambda: self.definitions),
            (rf"GET {request}/versions", self._versions),
            (rf"GET {request}/approvals", lambda: {"approved_by": self.approvals}),
            (rf"GET {request}/notes", lambda: self.notes),
            (rf"GET {request}/commits", self._commits),
            (rf"POST {request}/notes", lambda: self.note(BOT, body["body"]) or {}),
            (rf"PUT {request}/notes/3\d\d", lambda: self._edited(path, body["body"])),
            (rf"POST projects/5/statuses/{self.head}", lambda: self.statuses.append(body) or {}),
        ):
            if re.fullmatch(pattern, f"{method} {path}"):
                return said()
        return None

    def _request(self) -> dict[str, Any]:
        return {
            "iid": self.number, "state": "opened", "sha": self.head, "author": user("ada-l"),
            "updated_at": LATER, "source_branch": "delays", "target_branch": "main",
            "source_project_id": 5, "target_project_id": 5,
        }  # fmt: skip

    def _pipelines(self) -> list[dict[str, Any]]:
        return [
            {"id": 40, "sha": "0" * 40, "status": "success", "project_id": 5},
            {"id": 41, "sha": self.head, "status": "success", "project_id": 5},
        ]

    def _jobs(self) -> list[dict[str, Any]]:
        return [{"id": 51, "name": "definitions", "status": "success"}]

    def _versions(self) -> list[dict[str, Any]]:
        return [
            {"id": 2, "head_commit_sha": self.head, "created_at": NOON},
            {"id": 1, "head_commit_sha": "0" * 40, "created_at": MORNING},
        ]

    def _commits(self) -> list[dict[str, Any]]:
        return [{"id": self.head, "author_email": "ada@x.y", "committer_email": "ada@x.y"}]

    def _edited(self, path: str, body: str) -> dict[str, Any]:
        (note,) = [n for n in self.notes if str(n["id"]) == path.rpartition("/")[2]]
        note["body"] = body
        return note


@contextmanager
def serving(gitlab: GitLab) -> Iterator[GitLab]:
    """Answers on `gitlab.address` while it is open."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.removeprefix("/api/v4/").partition("?")[0]
            good = self.headers["PRIVATE-TOKEN"] == TOKEN
            said = gitlab.answer(self.command, path, body) if good else None
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gitlab.address = f"http://127.0.0.1:{server.server_port}/api/v4"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield gitlab
    finally:
        server.shutdown()
        server.server_close()
