"""The registry's commands. Each module imports what is heavy only when a command runs."""

from registry.cli.access import token
from registry.cli.audit import audit
from registry.cli.check import check, plan
from registry.cli.duplicates import duplicates
from registry.cli.lifecycle import lifecycle
from registry.cli.proposals import proposals
from registry.cli.pull_requests import pr
from registry.cli.review import apply, approve, propose, reject
from registry.cli.search import search
from registry.cli.show import lineage, show

__all__ = [
    "apply",
    "approve",
    "audit",
    "check",
    "duplicates",
    "lifecycle",
    "lineage",
    "plan",
    "pr",
    "proposals",
    "propose",
    "reject",
    "search",
    "show",
    "token",
]
