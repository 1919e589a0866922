"""That one feature looks like another: the evidence a reviewer decides by, and the answer. Pure.

A near-duplicate is a question. Its answer is kept by the two definition keys, so that it is asked
once, and again only when one of the two is computed in another way.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registry.core.similarity.verdict import Verdict

AnswerKind = Literal["reuse", "variant", "supersedes", "distinct"]
ANSWER_KINDS: tuple[AnswerKind, ...] = ("reuse", "variant", "supersedes", "distinct")
MEANINGS: dict[AnswerKind, str] = {
    "reuse": "the new one is not needed",
    "variant": "both are wanted, as one family",
    "supersedes": "the new one takes the other's place",
    "distinct": "they only look alike",
}
Keys = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    """One key at one time, and what the feature and the other one say of it, as texts.

    `agrees` says whether the two fit the relation that was found.
    """

    key: str
    at: datetime
    feature: str
    other: str
    agrees: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer said of two features that look alike: which it is, why, who and when.
    `source` names the review that said so, where one did."""

    kind: AnswerKind
    reason: str
    subject: str
    at: datetime
    feature: str
    other: str
    keys: Keys
    source: str = ""

    def __str__(self) -> str:
        return f"{self.kind}, {self.reason} ({self.subject}, {self.at:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class Likeness:
    """One feature beside another one that exists, or is proposed: all that it takes to decide.

    `feature` is `namespace/view:feature`, `other` a version of one, or what an open proposal adds;
    `headline` says which two in a line, `evidence` why in a paragraph.
    `keys` are their definition keys. `readers` are the other one's; `proposal` is the digest of the
    open proposal that adds it, where one does.
    """

    feature: str
    other: str
    keys: Keys
    verdict: Verdict
    evidence: str
    headline: str = ""
    owner: str = ""
    state: str = ""
    description: str = ""
    unit: str = ""
    readers: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    answer: Answer | None = None
    proposal: str = ""

    @property
    def asks(self) -> bool:
        """Whether a reviewer has to say something: a near-duplicate that is not settled. `reuse`
        settles nothing as long as the feature is still there."""
        if self.verdict != "near-duplicate":
            return False
        return self.answer is None or self.answer.kind == "reuse"

    @property
    def command(self) -> str:
        """How to answer it."""
        return f'fieldhouse duplicates answer {self.feature} {self.other} --distinct "because …"'


def pair_of(one: str, other: str) -> Keys:
    """Two definition keys in the one order in which an answer about them is kept."""
    return (one, other) if one <= other else (other, one)
