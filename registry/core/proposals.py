"""A proposal: a plan that somebody put forward, and the definitions it was made from. Pure data.

open → checked → approved | rejected → applied | superseded (decision 4).
"""

from dataclasses import dataclass
from datetime import datetime

from registry.core.changes import Plan
from registry.core.definitions import Repository
from registry.core.findings import Finding
from registry.core.owners import same_subject

PENDING = ("open", "checked", "approved")


@dataclass(frozen=True, slots=True)
class Proposal:
    """`digest` is the plan's. `findings` are those of the check that let it through.

    `behind` are the others who put these changes forward: whose pull request it is, who committed.
    `origin` names that pull request, `commit` its head, `seen` when the forge last said something
    of it (the newest event that counted).
    """

    digest: str
    namespace: str
    status: str
    proposer: str
    proposer_bot: bool
    at: datetime
    plan: Plan
    repository: Repository
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    behind: tuple[str, ...] = ()
    origin: str = ""
    commit: str = ""
    seen: str = ""

    @property
    def proposers(self) -> tuple[str, ...]:
        """All whose approval never counts."""
        return (self.proposer, *self.behind)

    def by(self, subject: str) -> bool:
        """Whether that subject is one of them."""
        return any(same_subject(subject, proposer) for proposer in self.proposers)
