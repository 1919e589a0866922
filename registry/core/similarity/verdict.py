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
CLOSE = 1e-6
# new = factor × old: what such a factor usually is.
UNITS = (
    (100.0, "hundredths for wholes"),
    (0.01, "wholes for hundredths"),
    (60.0, "minutes for hours, or seconds for minutes"),
    (1 / 60, "hours for minutes, or minutes for seconds"),
    (3600.0, "seconds for hours"),
    (1 / 3600, "hours for seconds"),
    (1000.0, "thousandths for wholes"),
    (0.001, "wholes for thousandths"),
    (1.8, "°F for °C"),
    (1 / 1.8, "°C for °F"),
    (1.609344, "kilometres for miles"),
    (1 / 1.609344, "miles for kilometres"),
    (-1.0, "the opposite sign"),
)
Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, its grounds in a sentence, and how much stands behind them."""

    verdict: Verdict
    why: str
    more: str = ""

    @property
    def evidence(self) -> str:
        """All that speaks for it, in one paragraph."""
        named = not self.why.partition(" ")[0].isalpha()  # a name stays as it is written
        said = self.why if named else f"{self.why[:1].upper()}{self.why[1:]}"
        return f"{said}. {self.more}" if self.more else f"{said}."


def judge_pair(
    *,
    same_definition: bool,
    same_shape: bool,
    facets: str = "",
    values: "ValueEvidence | None" = None,
    shared_words: int = 0,
    names: Names = ("it", "the other"),
) -> Judgement:
    """Decide about one pair. `facets` says how two of one shape differ; `names` are the new one's
    and the other's, for the sentence."""
    if same_definition:
        return Judgement("duplicate", "both are computed alike from the same columns")
    by_values = _by_values(values, names)
    if by_values is not None and by_values.verdict == "duplicate":
        return by_values
    if same_shape:
        return Judgement("variant", f"the same but for {facets}")
    if by_values is not None:
        return by_values
    if shared_words >= 2:
        return Judgement("related", f"{shared_words} words in common")
    return Judgement("distinct", "nothing in common that counts")


def _by_values(found: "ValueEvidence | None", names: Names) -> Judgement | None:
    if found is None or not found.telling or found.relation == "none":
        return None
    counted = f"for {found.agreeing} of {found.pairs} (key, time) pairs"
    nulls_agree = found.null_agreement >= MIN_NULL_AGREEMENT
    if found.relation == "equal" and nulls_agree and not found.retyped:
        return Judgement("duplicate", f"values equal {counted}")
    filled = _filled(found, *names)
    return Judgement("near-duplicate", f"{_relation(found, *names)}{filled}, {counted}")


def _filled(found: "ValueEvidence", new: str, old: str) -> str:
    """That nulls were filled, and with what."""
    if found.filled is None or found.null_agreement >= MIN_NULL_AGREEMENT:
        return ""
    side, value = found.filled
    full, empty = (old, new) if side == "left" else (new, old)
    return f", and {full} is {value:.8g} where {empty} is null"


def _relation(found: "ValueEvidence", new: str, old: str) -> str:
    """What the values of one are to those of the other, in a clause."""
    if found.relation == "affine":
        return formula(new, old, found.slope, found.intercept)
    if found.relation == "shifted":
        later, earlier = (new, old) if found.shift_seconds > 0 else (old, new)
        return f"{later} is what {earlier} was {_span(found.shift_seconds)} before"
    if found.relation == "equal":
        return _equal(found, new, old)
    clauses = {
        "rounded": f"{new} and {old} are one number, rounded on one side",
        "monotone": f"{new} and {old} rise and fall together: a rank, a bucket or a curve",
        "bijection": f"{new} and {old} name the same categories in two ways",
    }
    return clauses[found.relation]


def _equal(found: "ValueEvidence", new: str, old: str) -> str:
    """Why equal values are no duplicate: of another type, filled, or known elsewhere."""
    as_what = " as a value of another type" if found.retyped else ""
    if found.null_agreement >= MIN_NULL_AGREEMENT:
        return f"{new} equals {old}{as_what}"
    nulls = "" if found.filled is not None else ", and one is null where the other is not"
    return f"{new} equals {old}{as_what} where both are known{nulls}"


def formula(new: str, old: str, slope: float, intercept: float) -> str:
    """`cents = 100 × euros + 1 (hundredths)`: with the units that the factor is known for."""
    factor = f"{slope:.9g} × {old}" if abs(slope - 1) > CLOSE else old
    parts = round(1 / slope) if abs(slope) < 1 else 1
    if abs(parts) > 1 and abs(slope * parts - 1) < CLOSE:
        factor = f"{old} / {parts}"
    sign = "+" if intercept > 0 else "−"
    added = f" {sign} {abs(intercept):.9g}" if abs(intercept) > CLOSE else ""
    known = next((name for known, name in UNITS if abs(slope / known - 1) < CLOSE), "")
    return f"{new} = {factor}{added}{f' ({known})' if known else ''}"


def _span(seconds: float) -> str:
    """A time shift in hours or days, whichever way it goes."""
    hours = abs(seconds) / 3600
    count, unit = (hours / 24, "day") if hours >= 24 else (hours, "hour")
    return f"{count:g} {unit}" + ("" if count == 1 else "s")
