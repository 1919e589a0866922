"""Paired bootstrap of an error metric: rows are drawn, each with both models' losses. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ErrorMetric = Literal["mae", "rmse"]
_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class PairedErrors:
    """Two models' errors on the same rows; `improvement` is the share by which the first's is less.

    `drawn` [samples] are the improvements of the resamples.
    """

    first: float
    second: float
    improvement: float
    drawn: Floats

    @property
    def error(self) -> float:
        """Standard error of the improvement."""
        return float(self.drawn.std(ddof=1))

    def lower_bound(self, confidence: float) -> float:
        """The percentile bound, one-sided."""
        return float(np.quantile(self.drawn, 1.0 - confidence))

    def p_value(self, margin: float) -> float:
        """The share of resamples in which the first is worse by more than the margin."""
        return float((self.drawn <= -margin).mean())


def paired_errors(
    labels: Floats, first: Floats, second: Floats, metric: ErrorMetric, samples: int, seed: int
) -> PairedErrors:
    """Compare two predictions of the same numbers, all [n], by `samples` resamples of the rows."""
    losses = np.column_stack([_losses(labels, scores, metric) for scores in (first, second)])
    whole = _metric(losses.mean(axis=0)[None, :], metric)[0]
    means = _resampled_means(losses, samples, np.random.default_rng(seed))
    drawn = _improvement(_metric(means, metric))
    improvement = float(_improvement(whole[None, :])[0])
    return PairedErrors(float(whole[0]), float(whole[1]), improvement, drawn)


def _losses(labels: Floats, scores: Floats, metric: ErrorMetric) -> Floats:
    gaps = scores - labels
    return np.abs(gaps) if metric == "mae" else gaps * gaps


def _metric(means: Floats, metric: ErrorMetric) -> Floats:
    return means if metric == "mae" else np.sqrt(means)


def _improvement(errors: Floats) -> Floats:
    first, second = errors[:, 0], errors[:, 1]
    base = np.where(second > 0, second, 1.0)
    share: Floats = np.where(first == second, 0.0, (second - first) / base)
    return share


def _resampled_means(losses: Floats, samples: int, chooser: np.random.Generator) -> Floats:
    rows = len(losses)
    means = np.empty((samples, 2))
    step = max(1, _CELLS // max(1, rows))
    for start in range(0, samples, step):
        size = min(step, samples - start)
        drawn = chooser.integers(0, rows, (size, rows))
        means[start : start + size] = losses[drawn].mean(axis=1)
    return means
