"""AUC of paired scores and DeLong's covariance of them, on numpy and math alone. Pure.

DeLong, DeLong and Clarke-Pearson 1988; midranks after Sun and Xu 2014, so it costs a sort.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedAuc:
    """Two AUCs on the same rows. `difference` is first minus second, `error` its standard error."""

    first: float
    second: float
    difference: float
    error: float

    def lower_bound(self, confidence: float) -> float:
        """The one-sided lower confidence bound of the difference."""
        return self.difference - NormalDist().inv_cdf(confidence) * self.error

    def p_value(self, margin: float = 0.0) -> float:
        """One-sided: how likely a difference this large is if the truth were `-margin`."""
        shifted = self.difference + margin
        if self.error == 0.0:
            return 0.0 if shifted > 0 else 1.0
        return 1.0 - NormalDist().cdf(shifted / self.error)


def midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of the ranks they cover. `values` [n] holds no NaN."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Floats = (ends - (counts - 1) / 2.0).astype(np.float64)
    return middles[inverse]


def auc(labels: NDArray[np.bool_], scores: Floats) -> float:
    """The chance that a positive row scores above a negative one, ties counting half. [n], [n]."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    ranks = midranks(scores)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2.0) / (positives * negatives))


def paired_auc(labels: NDArray[np.bool_], first: Floats, second: Floats) -> PairedAuc:
    """Compare two scores of the same rows, all [n]; needs two rows of each class at least."""
    components = [_components(labels, scores) for scores in (first, second)]
    by_positive = np.array([positive for positive, _ in components])
    by_negative = np.array([negative for _, negative in components])
    covariance = (
        np.cov(by_positive) / by_positive.shape[1] + np.cov(by_negative) / by_negative.shape[1]
    )
    areas = by_positive.mean(axis=1)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return PairedAuc(
        float(areas[0]),
        float(areas[1]),
        float(areas[0] - areas[1]),
        float(np.sqrt(max(variance, 0.0))),
    )


def _components(labels: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it; for each negative of positives above."""
    positive, negative = scores[labels], scores[~labels]
    together = midranks(np.concatenate([positive, negative]))
    m, n = len(positive), len(negative)
    by_positive = (together[:m] - midranks(positive)) / n
    by_negative = 1.0 - (together[m:] - midranks(negative)) / m
    return by_positive, by_negative
