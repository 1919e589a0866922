"""Findings: what a check has to say, as frozen values. How they are printed lives elsewhere."""

from dataclasses import dataclass
from typing import Literal

from registry.core.definitions import NOWHERE, Location
from registry.core.similarity.likeness import Likeness

Strictness = Literal["cosmetic", "training", "serving", "meaning"]
Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule saw.

    `subject` is what it is about (`view`, `view:feature`, a service's name, a file); `hits` names
    the services, training sets and model versions that it reaches; `hint` says what to do;
    `waived_by` is who accepted it until a date, so that it no longer counts. `likeness` is the
    evidence that the subject looks like another feature.
    """

    rule: str
    strictness: Strictness
    severity: Severity
    message: str
    subject: str
    location: Location = NOWHERE
    hits: tuple[str, ...] = ()
    hint: str = ""
    waived_by: str = ""
    likeness: Likeness | None = None

    @property
    def asks(self) -> bool:
        """Whether it is a question that a reviewer has yet to answer."""
        return self.severity != "notice" and self.likeness is not None and self.likeness.asks
