"""Better? The candidate against the incumbent or a baseline, on the same held-out rows. Pure."""

import numpy as np
from numpy.typing import NDArray

from serving.gate.delong import paired_auc
from serving.gate.evidence import Heldout
from serving.gate.report import Check, GatePolicy

Floats = NDArray[np.float64]
QUESTION = "better?"


def compare_scores(
    heldout: Heldout, candidate: Floats, incumbent: Floats | None, policy: GatePolicy
) -> list[Check]:
    """The AUC checks. Scores are [n].

    Against an incumbent the candidate must not be worse by more than the margin; against a baseline
    it must be better, both at the policy's confidence by DeLong's paired test.
    """
    enough = _sample_size(heldout, policy)
    if not enough.passed:
        return [enough]
    if not np.isfinite(candidate).all():
        lost = int((~np.isfinite(candidate)).sum())
        return [
            enough,
            Check("better.auc", QUESTION, False, f"{lost} held-out scores are not finite"),
        ]
    if incumbent is not None:
        return [enough, _not_worse(heldout, candidate, incumbent, policy)]
    if heldout.baseline is not None:
        return [enough, _better(heldout, candidate, heldout.baseline, policy)]
    message = "could not run: there is no incumbent, and no baseline score was given"
    return [enough, Check("better.auc", QUESTION, False, message, ran=False)]


def _sample_size(heldout: Heldout, policy: GatePolicy) -> Check:
    positives = int(heldout.positives.sum())
    negatives = len(heldout.labels) - positives
    passed = positives >= policy.minimum_positives and negatives >= policy.minimum_negatives
    needed = f"{policy.minimum_positives} and {policy.minimum_negatives} are needed"
    message = f"{positives} positive and {negatives} negative held-out rows; {needed}"
    return Check(
        "better.sample", QUESTION, passed, message, {"positives": positives, "negatives": negatives}
    )


def _not_worse(heldout: Heldout, candidate: Floats, incumbent: Floats, policy: GatePolicy) -> Check:
    found = paired_auc(heldout.positives, candidate, incumbent)
    bound = found.lower_bound(policy.confidence)
    numbers = {
        "candidate": found.first,
        "incumbent": found.second,
        "difference": found.difference,
        "standard_error": found.error,
        "lower_bound": bound,
        "p_value": found.p_value(policy.margin),
        "margin": policy.margin,
    }
    message = (
        f"AUC {found.first:.4f} against the incumbent's {found.second:.4f}; with "
        f"{policy.confidence:.0%} confidence worse by at most {max(0.0, -bound):.4f}, "
        f"allowed {policy.margin:.4f}"
    )
    return Check("better.auc", QUESTION, bound >= -policy.margin, message, numbers)


def _better(heldout: Heldout, candidate: Floats, baseline: Floats, policy: GatePolicy) -> Check:
    # A baseline has no opinion on rows without history: they rank in the middle of its scores.
    filled = np.where(np.isfinite(baseline), baseline, np.nanmedian(baseline))
    found = paired_auc(heldout.positives, candidate, filled)
    bound = found.lower_bound(policy.confidence)
    numbers = {
        "candidate": found.first,
        "baseline": found.second,
        "difference": found.difference,
        "standard_error": found.error,
        "lower_bound": bound,
        "p_value": found.p_value(),
    }
    message = (
        f"AUC {found.first:.4f} against the baseline's {found.second:.4f}; with "
        f"{policy.confidence:.0%} confidence better by at least {bound:.4f}"
    )
    return Check("better.auc", QUESTION, bound > 0, message, numbers)
