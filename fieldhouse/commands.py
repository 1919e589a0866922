"""Every command in one table: where it lives and what it does. Imports no room.

`fieldhouse --help` is written from here alone, and a command is loaded when it is called. A test
keeps the table true.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: `target` is `module:attribute`, `section` its heading in the help.

    `children` is for a group that the door makes itself, out of commands of several rooms.
    """

    target: str
    summary: str
    section: str = "Commands"
    children: Mapping[str, "Entry"] | None = None


def _registry(name: str, summary: str, section: str) -> Entry:
    return Entry(f"registry.cli:{name}", summary, section)


def _features(name: str, summary: str, section: str) -> Entry:
    return Entry(f"featureserver.cli:{name}", summary, section)


SERVE: Mapping[str, Entry] = {
    "features": Entry("featureserver.cli:serve_features", "serve features over HTTP"),
    "models": Entry("serving.cli:serve_models", "serve predictions over HTTP"),
    "reviews": Entry("fieldhouse.review_command:serve_reviews", "serve proposals over HTTP"),
}

TABLE: Mapping[str, Entry] = {
    "demo": Entry(
        "fieldhouse.demo.cli:demo", "go the whole way on real data, in two minutes", "Start"
    ),
    "init": Entry(
        "fieldhouse.project:init", "make a small working repository from your data", "Start"
    ),
    "doctor": Entry(
        "fieldhouse.project:doctor", "say what is configured, from where, what is wrong", "Start"
    ),
    "check": _registry("check", "check the definitions: every finding at once", "Change"),
    "plan": _registry("plan", "show what applying the repository would change", "Change"),
    "propose": _registry("propose", "put the plan forward for approval", "Change"),
    "proposals": _registry("proposals", "list proposals and what each still takes", "Change"),
    "pr": _registry("pr", "take a pull request through review", "Change"),
    "approve": _registry("approve", "approve a proposal of somebody else's", "Change"),
    "reject": _registry("reject", "reject a proposal, with a reason", "Change"),
    "apply": _registry("apply", "carry out an approved proposal", "Change"),
    "search": _registry("search", "find a feature before writing one", "Look"),
    "duplicates": _registry("duplicates", "show features that are alike, as families", "Look"),
    "show": _registry("show", "show what is live", "Look"),
    "lineage": _registry("lineage", "show what a feature is made of and who reads it", "Look"),
    "audit": _registry("audit", "show, verify and export the audit chain", "Look"),
    "dataset": Entry(
        "training.cli:dataset", "build, show, verify and compare training sets", "Train"
    ),
    "model": Entry("serving.cli:model", "package, examine, approve and release models", "Train"),
    "materialize": _features("materialize", "write the newest offline rows to Redis", "Serve"),
    "lookup": _features("lookup", "look features up for entities", "Serve"),
    "parity": _features("parity", "compare online values with offline ones", "Serve"),
    "serve": Entry("", "run a server until it is stopped", "Serve", SERVE),
    "drift": Entry("serving.cli:drift", "compare production with training", "Operate"),
    "lifecycle": _registry("lifecycle", "move features between states at run time", "Operate"),
    "token": _registry("token", "issue, list and revoke tokens", "Operate"),
}
