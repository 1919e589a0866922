"""One comparison of two models on the same rows, by the metric that the task asks for. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid
from serving.gate.bootstrap import paired_errors
from serving.gate.delong import paired_auc
from serving.gate.mcnemar import discordance
from serving.gate.policy import GatePolicy

Floats = NDArray[np.float64]
TASK_METRICS = {"binary": "auc", "multiclass": "accuracy", "regression": "mae"}
METRICS = ("auc", "accuracy", "mae", "rmse")
WORDS = {"auc": "AUC", "accuracy": "accuracy", "mae": "mean absolute error", "rmse": "RMSE"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models by one metric. `difference` is positive where the candidate is better: points of
    AUC or accuracy, a share of the other's error for regression. `error` is its standard error,
    `lower` its one-sided bound, `p_value` belongs to "worse by more than the margin"."""

    metric: str
    method: str
    candidate: float
    other: float
    difference: float
    error: float
    lower: float
    p_value: float
    more: Mapping[str, Any] = field(default_factory=dict)

    def numbers(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "method": self.method,
            "candidate": self.candidate,
            "difference": self.difference,
            "standard_error": self.error,
            "lower_bound": self.lower,
            "p_value": self.p_value,
            **self.more,
        }

    def p_worse(self, margin: float) -> float:
        """How likely a difference this bad is if the candidate were worse by just the margin."""
        shifted = self.difference + margin
        if self.error == 0.0:
            return 0.0 if shifted < 0 else 1.0
        return NormalDist().cdf(shifted / self.error)

    def power(self, margin: float, confidence: float) -> float:
        """The chance that a candidate that is just as good as the other stays within the margin."""
        if self.error == 0.0:
            return 1.0
        return NormalDist().cdf(margin / self.error - NormalDist().inv_cdf(confidence))

    def rows_needed(self, rows: int, margin: float, confidence: float, power: float) -> int:
        """About how many rows would give that power."""
        spread = NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
        return math.ceil(rows * (spread * self.error / margin) ** 2) if margin > 0 else 0


def metric_of(task: str, policy: GatePolicy) -> str:
    """The metric by which a task's models are compared. Raises `Invalid` for one there is not."""
    metric = TASK_METRICS.get(task, "") if policy.metric == "auto" else policy.metric
    if metric not in METRICS:
        raise Invalid(
            f"there is no metric for task {task!r} and policy metric {policy.metric!r}",
            f"tasks: {', '.join(TASK_METRICS)}; metrics: {', '.join(METRICS)}",
        )
    return metric


def compare(
    metric: str, labels: NDArray[Any], candidate: Floats, other: Floats, policy: GatePolicy
) -> Comparison:
    """Compare two models' outputs for the same rows, [n], or [n, classes] for accuracy."""
    if metric == "auc":
        return _by_auc(labels, candidate, other, policy)
    if metric == "accuracy":
        return _by_labels(labels, candidate, other, policy)
    return _by_error(metric, labels, candidate, other, policy)


def classes_of(outputs: Floats) -> NDArray[np.int64]:
    """The chosen class: the largest of [n, classes], the rounded value or side of a half of [n]."""
    if outputs.ndim == 2:
        return np.asarray(outputs.argmax(axis=1), np.int64)
    inside = len(outputs) == 0 or (outputs.min() >= 0 and outputs.max() <= 1)
    return (outputs >= 0.5).astype(np.int64) if inside else np.rint(outputs).astype(np.int64)


def _by_auc(
    labels: NDArray[Any], candidate: Floats, other: Floats, policy: GatePolicy
) -> Comparison:
    found = paired_auc(np.asarray(labels).astype(bool), candidate, other)
    lower = found.lower_bound(policy.confidence)
    p_value = found.p_value(policy.margin)
    return Comparison(
        "auc", "DeLong", found.first, found.second, found.difference, found.error, lower, p_value
    )


def _by_labels(
    labels: NDArray[Any], candidate: Floats, other: Floats, policy: GatePolicy
) -> Comparison:
    truth = np.asarray(labels).astype(np.int64)
    right, other_right = classes_of(candidate) == truth, classes_of(other) == truth
    found = discordance(right, other_right)
    lower = found.lower_bound(policy.confidence)
    more = {
        "only_candidate_right": found.only_first,
        "only_other_right": found.only_second,
        "mcnemar_exact_p": found.p_two_sided(),
        "mcnemar_exact_p_better": found.p_better(),
    }
    accuracies = float(right.mean()), float(other_right.mean())
    p_value = NormalDist().cdf(-(found.difference + policy.margin) / (found.error or 1e-12))
    return Comparison(
        "accuracy", "McNemar exact, bound after Tango", *accuracies,
        found.difference, found.error, lower, p_value, more,
    )  # fmt: skip


def _by_error(
    metric: str, labels: NDArray[Any], candidate: Floats, other: Floats, policy: GatePolicy
) -> Comparison:
    found = paired_errors(
        np.asarray(labels, np.float64), candidate, other,
        "rmse" if metric == "rmse" else "mae", policy.bootstrap_samples, policy.seed,
    )  # fmt: skip
    more = {"samples": policy.bootstrap_samples, "seed": policy.seed}
    return Comparison(
        metric, "paired bootstrap", found.first, found.second, found.improvement, found.error,
        found.lower_bound(policy.confidence), found.p_value(policy.margin), more,
    )  # fmt: skip
