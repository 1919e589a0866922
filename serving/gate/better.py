"""Better? The candidate against the incumbent or a baseline, on the same held-out rows. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.gate.calibration import check_calibration
from serving.gate.compare import WORDS, Comparison, compare, metric_of
from serving.gate.evidence import Heldout
from serving.gate.policy import GatePolicy
from serving.gate.report import Check
from serving.gate.slices import check_slices
from serving.signature import Output

Floats = NDArray[np.float64]
QUESTION = "better?"


def compare_outputs(
    heldout: Heldout,
    candidate: Floats,
    incumbent: Floats | None,
    policy: GatePolicy,
    task: str = "binary",
    output: Output | None = None,
) -> list[Check]:
    """Every check of this question. Outputs are [n], or [n, classes] for a multiclass task.

    Against an incumbent the candidate must not be worse by more than the margin; against a baseline
    it must be better, both at the policy's confidence. `output` says whether scores are
    probabilities, which are then held to it.
    """
    metric = metric_of(task, policy)
    enough = _sample_size(metric, heldout, policy)
    if not enough.passed:
        return [enough]
    lost = int((~np.isfinite(candidate)).sum())
    if lost:
        message = f"{lost} held-out outputs are not finite"
        return [enough, Check(f"better.{metric}", QUESTION, False, message, {"lost": lost})]
    other = _other(heldout, incumbent)
    if other is None:
        message = "could not run: there is no incumbent, and no baseline score was given"
        return [enough, Check(f"better.{metric}", QUESTION, False, message, ran=False)]
    found = compare(metric, heldout.labels, candidate, other, policy)
    checks = [enough, *_verdicts(found, len(heldout.labels), incumbent is not None, policy)]
    checks += check_slices(metric, heldout, candidate, other, policy)
    return checks + _calibration(heldout, candidate, incumbent, policy, task, output)


def _other(heldout: Heldout, incumbent: Floats | None) -> Floats | None:
    if incumbent is not None or heldout.baseline is None:
        return incumbent
    # A baseline has no opinion on rows without history: they rank in the middle of its scores.
    known = np.isfinite(heldout.baseline)
    return np.where(
        known, heldout.baseline, np.median(heldout.baseline[known]) if known.any() else 0
    )


def _sample_size(metric: str, heldout: Heldout, policy: GatePolicy) -> Check:
    rows = len(heldout.labels)
    if metric != "auc":
        message = f"{rows} held-out rows; {policy.minimum_rows} are needed"
        passed = rows >= policy.minimum_rows
        return Check("better.sample", QUESTION, passed, message, {"rows": rows})
    positives = int(heldout.positives.sum())
    negatives = rows - positives
    passed = positives >= policy.minimum_positives and negatives >= policy.minimum_negatives
    needed = f"{policy.minimum_positives} and {policy.minimum_negatives} are needed"
    message = f"{positives} positive and {negatives} negative held-out rows; {needed}"
    return Check(
        "better.sample", QUESTION, passed, message, {"positives": positives, "negatives": negatives}
    )


def _verdicts(found: Comparison, rows: int, incumbent: bool, policy: GatePolicy) -> list[Check]:
    if not incumbent:
        return [_better(found, policy)]
    return [_not_worse(found, policy), _power(found, rows, policy)]


def _not_worse(found: Comparison, policy: GatePolicy) -> Check:
    numbers = {**found.numbers(), "incumbent": found.other, "margin": policy.margin}
    message = (
        f"{WORDS[found.metric]} {found.candidate:.4f} against the incumbent's {found.other:.4f}; "
        f"with {policy.confidence:.0%} confidence worse by at most {max(0.0, -found.lower):.4f}, "
        f"allowed {policy.margin:.4f}"
    )
    passed = found.lower >= -policy.margin
    return Check(f"better.{found.metric}", QUESTION, passed, message, numbers)


def _better(found: Comparison, policy: GatePolicy) -> Check:
    numbers = {**found.numbers(), "baseline": found.other}
    message = (
        f"{WORDS[found.metric]} {found.candidate:.4f} against the baseline's {found.other:.4f}; "
        f"with {policy.confidence:.0%} confidence better by at least {found.lower:.4f}"
    )
    return Check(f"better.{found.metric}", QUESTION, found.lower > 0, message, numbers)


def _power(found: Comparison, rows: int, policy: GatePolicy) -> Check:
    power = found.power(policy.margin, policy.confidence)
    needed = found.rows_needed(rows, policy.margin, policy.confidence, policy.minimum_power)
    numbers = {
        "power": power,
        "minimum": policy.minimum_power,
        "rows": rows,
        "rows_needed": needed,
        "margin": policy.margin,
    }
    message = (
        f"an equally good candidate would pass with chance {power:.2f}, at least "
        f"{policy.minimum_power:.2f} is asked; that takes about {needed} rows"
    )
    return Check("better.power", QUESTION, power >= policy.minimum_power, message, numbers)


def _calibration(
    heldout: Heldout,
    candidate: Floats,
    incumbent: Floats | None,
    policy: GatePolicy,
    task: str,
    output: Output | None,
) -> list[Check]:
    if task != "binary" or output is None:
        return []
    if (output.low, output.high) != (0.0, 1.0):
        limits = f"[{output.low}, {output.high}]"
        message = f"not asked: the output is declared to lie in {limits}, it is no probability"
        return [Check("better.calibration", QUESTION, True, message)]
    return check_calibration(heldout.positives, candidate, incumbent, policy)


def scores_of(outputs: NDArray[Any], task: str) -> Floats:
    """What the task's metric reads of a model's first output: of two binary columns the second."""
    values = np.asarray(outputs, np.float64)
    if task == "multiclass" or values.ndim == 1:
        return values
    last: Floats = values[:, -1]
    return last
