"""Whether a feature's values tell anything: constants, flags and small categories are told by their
definition alone, since others agree with them by chance. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.duplicates.answers import Answer
from bench.duplicates.metrics import Rate

LEAST_DISTINCT: Final = 16
MOST_AT_ONE: Final = 0.8


def tells(values: np.ndarray) -> bool:
    """Of values at random moments, float64 with NaN for null: at least `LEAST_DISTINCT`, and no one
    of them in more than `MOST_AT_ONE`."""
    counts = np.unique(values[~np.isnan(values)], return_counts=True)[1]
    return len(counts) >= LEAST_DISTINCT and counts.max() <= MOST_AT_ONE * counts.sum()


def found_by_telling(answers: Sequence[Answer], values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The copies found, of originals whose values tell something and of the others."""
    telling = {ref for ref in {a.of for a in answers if a.of} if tells(values[ref])}
    copies = [answer for answer in answers if answer.of]
    told = [answer for answer in copies if answer.of in telling]
    others = [answer for answer in copies if answer.of not in telling]
    return {"tell": _facts(told), "tell little": _facts(others)}


def _facts(copies: Sequence[Answer]) -> dict[str, Any]:
    return Rate(sum(copy.found for copy in copies), len(copies)).facts()
