"""Are probabilities what they say? Brier score, expected calibration error, the curve. Pure."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from serving.gate.policy import GatePolicy
from serving.gate.report import Check

Floats = NDArray[np.float64]
QUESTION = "better?"
BINS = 10
_SIMULATIONS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """Equal-count bins of the scores: mean score, share of positives and rows, each [bins]."""

    scores: Floats
    rates: Floats
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap, weighted by rows."""
        return float(np.average(np.abs(self.scores - self.rates), weights=self.counts))

    def points(self) -> list[list[float]]:
        columns = zip(self.scores, self.rates, self.counts, strict=True)
        return [[round(float(s), 6), round(float(r), 6), int(n)] for s, r, n in columns]


def calibration_curve(positives: NDArray[np.bool_], scores: Floats, bins: int = BINS) -> Curve:
    """The curve of scores [n] against outcomes [n]; equal scores are never parted."""
    places, count = _places(scores, bins)
    counts = np.bincount(places, minlength=count)
    kept = counts > 0
    held = counts[kept]
    outcomes = positives.astype(np.float64)
    return Curve(
        np.bincount(places, scores, count)[kept] / held,
        np.bincount(places, outcomes, count)[kept] / held,
        held,
    )


def _places(scores: Floats, bins: int) -> tuple[NDArray[np.int64], int]:
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, scores, side="left"), len(edges) + 1


def chance_error(scores: Floats, seed: int, bins: int = BINS) -> float:
    """The calibration error that perfectly calibrated scores [n] show on so few rows, on average.

    In each bin the mean outcome is drawn around the mean score, normally, with the seed.
    """
    places, count = _places(scores, bins)
    rows = np.bincount(places, minlength=count)
    spread = np.bincount(places, scores * (1 - scores), count)[rows > 0]
    sigma = np.sqrt(np.maximum(spread, 0.0)) / rows[rows > 0]
    drawn = np.abs(np.random.default_rng(seed).normal(size=(_SIMULATIONS, len(sigma))) * sigma)
    return float(np.average(drawn.mean(axis=0), weights=rows[rows > 0]))


def brier(positives: NDArray[np.bool_], scores: Floats) -> float:
    """The mean squared distance of probability and outcome."""
    return float(((scores - positives) ** 2).mean())


def check_calibration(
    positives: NDArray[np.bool_], candidate: Floats, other: Floats | None, policy: GatePolicy
) -> list[Check]:
    """Both checks of probabilities [n]. Without an incumbent the base rate is what to beat."""
    return [
        _check_brier(positives, candidate, other, policy),
        _check_error(positives, candidate, other, policy),
    ]


def _check_brier(
    positives: NDArray[np.bool_], candidate: Floats, other: Floats | None, policy: GatePolicy
) -> Check:
    against = np.full(len(candidate), positives.mean()) if other is None else other
    gains = (against - positives) ** 2 - (candidate - positives) ** 2
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    lower = float(gains.mean()) - NormalDist().inv_cdf(policy.confidence) * error
    found, before = brier(positives, candidate), brier(positives, against)
    numbers = {
        "candidate": found,
        "incumbent" if other is not None else "base_rate": before,
        "difference": float(gains.mean()),
        "standard_error": error,
        "lower_bound": lower,
        "margin": policy.brier_margin,
    }
    name = "the base rate's" if other is None else "the incumbent's"
    message = (
        f"Brier score {found:.4f} against {name} {before:.4f}; with {policy.confidence:.0%} "
        f"confidence worse by at most {max(0.0, -lower):.4f}, allowed {policy.brier_margin:.4f}"
    )
    return Check("better.brier", QUESTION, lower >= -policy.brier_margin, message, numbers)


def _check_error(
    positives: NDArray[np.bool_], candidate: Floats, other: Floats | None, policy: GatePolicy
) -> Check:
    curve = calibration_curve(positives, candidate)
    chance = chance_error(candidate, policy.seed)
    numbers = {
        "expected_calibration_error": curve.error,
        "of_chance_alone": chance,
        "limit": policy.max_calibration_error,
        "seed": policy.seed,
        "curve": curve.points(),
    }
    allowed = policy.max_calibration_error
    if other is not None:
        incumbent = calibration_curve(positives, other)
        numbers |= {"incumbent": incumbent.error, "incumbent_curve": incumbent.points()}
        allowed = max(allowed, incumbent.error)
    passed = curve.error - chance <= allowed
    message = (
        f"probabilities are off by {curve.error:.4f} on average; so few rows alone would show "
        f"{chance:.4f}, allowed beyond that {allowed:.4f}"
    )
    return Check("better.calibration", QUESTION, passed, message, numbers)
