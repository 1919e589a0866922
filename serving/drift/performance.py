"""The live metric, on the rows whose truth has arrived, beside the one that the gate saw. Pure."""

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from serving.drift.past import Past
from serving.gate.compare import TASK_METRICS, classes_of
from serving.gate.delong import paired_auc

FEWEST = 10
CONFIDENCE = 0.99
_WORSE_ABOVE = frozenset({"mae", "rmse"})


@dataclass(frozen=True, slots=True)
class Performance:
    """A metric over `rows` labelled rows with its standard error; `gate` is the gate's number and
    `worse` says that this one is beyond chance on the wrong side of it."""

    metric: str
    value: float
    error: float
    rows: int
    gate: float | None = None
    worse: bool = False


def performance_of(past: Past, output: str, task: str) -> Performance | None:
    """AUC, accuracy or mean absolute error by task; None while too few labels are there."""
    known = np.isfinite(past.labels)
    column = f"output:{output}"
    if int(known.sum()) < 2 * FEWEST or column not in past.table.column_names:
        return None
    scores = _scores(past, column)[known]
    return _measured(TASK_METRICS.get(task, "mae"), scores, past.labels[known])


def _scores(past: Past, column: str) -> NDArray[np.float64]:
    """The answers, float64 [n], or [n, w] where an answer has several columns."""
    return np.array(past.values(column), np.float64)


def _measured(
    metric: str, scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> Performance | None:
    rows = len(labels)
    if metric == "auc":
        flat = scores[:, -1] if scores.ndim == 2 else scores
        positives = labels > 0
        if min(int(positives.sum()), int((~positives).sum())) < FEWEST:
            return None
        # Against scores that say nothing, the error of the difference is that of the AUC itself.
        found = paired_auc(positives, flat, np.zeros(rows))
        return Performance(metric, found.first, found.error, rows)
    if metric == "accuracy":
        share = float((classes_of(scores) == labels.astype(np.int64)).mean())
        return Performance(metric, share, float(np.sqrt(share * (1 - share) / rows)), rows)
    misses = np.abs(scores.reshape(rows, -1)[:, 0] - labels)
    return Performance(metric, float(misses.mean()), float(misses.std() / np.sqrt(rows)), rows)


def beside_gate(live: Performance | None, gate: float | None) -> Performance | None:
    """The live metric judged by the gate's number."""
    if live is None or gate is None:
        return live
    lost = live.value - gate if live.metric in _WORSE_ABOVE else gate - live.value
    worse = lost > NormalDist().inv_cdf(CONFIDENCE) * live.error
    return replace(live, gate=gate, worse=worse)
