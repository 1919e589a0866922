"""Two classifiers on the same rows: McNemar's exact test, and Tango's bound of the difference.

McNemar 1947; the score interval of a paired difference of proportions after Tango 1998, in the
closed form of Newcombe 1998. Pure.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Discordance:
    """Rows that only the first gets right, rows that only the second does, of `rows` in all."""

    only_first: int
    only_second: int
    rows: int

    @property
    def difference(self) -> float:
        """Accuracy of the first minus that of the second."""
        return (self.only_first - self.only_second) / self.rows

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        together = self.only_first + self.only_second
        apart = self.only_first - self.only_second
        return math.sqrt(max(0.0, together - apart * apart / self.rows)) / self.rows

    def p_better(self) -> float:
        """Exact and one-sided: the chance of at least so many for the first if both were equal."""
        return binomial_tail(self.only_first, self.only_first + self.only_second)

    def p_worse(self) -> float:
        return binomial_tail(self.only_second, self.only_first + self.only_second)

    def p_two_sided(self) -> float:
        """McNemar's exact test."""
        return min(1.0, 2.0 * min(self.p_better(), self.p_worse()))

    def lower_bound(self, confidence: float) -> float:
        """Tango's one-sided lower bound of the difference of accuracies."""
        z = NormalDist().inv_cdf(confidence)
        low, high = -1.0 + 1e-12, self.difference
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._score(middle) > z:
                low = middle
            else:
                high = middle
        return low

    def _score(self, assumed: float) -> float:
        n, first, second = self.rows, self.only_first, self.only_second
        b = (2 * n - first + second) * assumed - first - second
        c = -second * assumed * (1 - assumed)
        cell = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * cell + assumed * (1 - assumed))
        shifted = first - second - n * assumed
        if variance <= 0.0:
            return math.copysign(math.inf, shifted) if shifted else 0.0
        return shifted / math.sqrt(variance)


def discordance(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> Discordance:
    """Count the rows on which two classifiers differ in being right, both [n]."""
    return Discordance(
        int((first_right & ~second_right).sum()),
        int((second_right & ~first_right).sum()),
        len(first_right),
    )


def binomial_tail(least: int, trials: int) -> float:
    """P(X >= least) for X binomial(trials, 1/2)."""
    if least <= 0:
        return 1.0
    whole = math.lgamma(trials + 1) - trials * math.log(2)
    return min(
        1.0,
        math.fsum(
            math.exp(whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1))
            for k in range(least, trials + 1)
        ),
    )
