"""One decision out of the evidence: duplicate, near-duplicate, variant, related, or nothing. Pure.

Only an equal definition, or near-total equality of values with enough evidence, may block. What is
a copy up to unit, rounding, or time shift asks the reviewer a question. The rest is advice.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # numpy is for those who compare, not for those who read a verdict
    from registry.core.similarity.values import ValueEvidence

Verdict = Literal["duplicate", "near-duplicate", "variant", "related", "distinct"]
ANSWERS = ("reuse", "variant of", "supersedes", "distinct because")
MIN_NULL_AGREEMENT = 0.98


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, its grounds in a sentence, and how much stands behind them."""

    verdict: Verdict
    why: str
    more: str = ""

    @property
    def evidence(self) -> str:
        """All that speaks for it, in one paragraph."""
        said = f"{self.why[:1].upper()}{self.why[1:]}."
        return f"{said} {self.more}" if self.more else said


def judge_pair(
    *,
    same_definition: bool,
    same_shape: bool,
    facets: str = "",
    values: "ValueEvidence | None" = None,
    shared_words: int = 0,
) -> Judgement:
    """Decide about one pair. `facets` says how two of one shape differ."""
    if same_definition:
        return Judgement("duplicate", "both are computed alike from the same columns")
    by_values = _by_values(values)
    if by_values is not None and by_values.verdict == "duplicate":
        return by_values
    if same_shape:
        return Judgement("variant", f"the same but for {facets}")
    if by_values is not None:
        return by_values
    if shared_words >= 2:
        return Judgement("related", f"{shared_words} words in common")
    return Judgement("distinct", "nothing in common that counts")


def _by_values(found: "ValueEvidence | None") -> Judgement | None:
    if found is None or not found.telling or found.relation == "none":
        return None
    said = f"{found.agreeing} of {found.pairs} (key, time) pairs"
    nulls_agree = found.null_agreement >= MIN_NULL_AGREEMENT
    if found.relation == "equal" and nulls_agree:
        return Judgement("duplicate", f"values equal for {said}")
    sentences = {
        "equal": f"values equal for {said}, null at other keys",
        "rounded": f"one is the other rounded, for {said}",
        "affine": f"one is {found.slope:g} times the other plus {found.intercept:g}, for {said}",
        "monotone": f"they rise and fall together for {said}",
        "bijection": f"their categories go one to one for {said}",
        "shifted": f"one is the other {_span(found.shift_seconds)} later, for {said}",
    }
    return Judgement("near-duplicate", sentences[found.relation])


def _span(seconds: float) -> str:
    """A time shift in hours or days, whichever way it goes."""
    hours = abs(seconds) / 3600
    count, unit = (hours / 24, "day") if hours >= 24 else (hours, "hour")
    return f"{count:g} {unit}" + ("" if count == 1 else "s")
