"""Is the candidate worse for some group? All slices are tested together, at one level. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.gate.compare import Comparison, compare
from serving.gate.evidence import Heldout
from serving.gate.policy import GatePolicy
from serving.gate.report import Check

Floats = NDArray[np.float64]
QUESTION = "better?"
_LEAST_OF_A_CLASS = 20
_MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class Slice:
    """One value of one column, and how the models compare on its rows."""

    column: str
    value: str
    rows: int
    found: Comparison

    def numbers(self, adjusted: float) -> dict[str, Any]:
        return {
            "slice": f"{self.column}={self.value}",
            "rows": self.rows,
            "candidate": self.found.candidate,
            "other": self.found.other,
            "difference": self.found.difference,
            "standard_error": self.found.error,
            "adjusted_p": adjusted,
        }


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: all tests together keep the level."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def check_slices(
    metric: str, heldout: Heldout, candidate: Floats, other: Floats, policy: GatePolicy
) -> list[Check]:
    """One check over all slices; none when the held-out rows name no columns to slice by."""
    if not heldout.slices:
        return []
    slices, small = _slices(metric, heldout, candidate, other, policy)
    adjusted = holm([one.found.p_worse(policy.slice_margin) for one in slices])
    level = 1.0 - policy.confidence
    bad = [one for one, p in zip(slices, adjusted, strict=True) if p <= level]
    worst = min(slices, key=lambda one: one.found.difference, default=None)
    message = f"{len(slices)} slices, {small} too small to judge; "
    if bad:
        names = ", ".join(f"{one.column}={one.value}" for one in bad)
        message += f"worse by more than {policy.slice_margin:g}: {names}"
    elif worst is not None:
        message += f"the worst, {worst.column}={worst.value}, by {worst.found.difference:+.4f}"
    numbers = {
        "metric": metric,
        "margin": policy.slice_margin,
        "level": level,
        "correction": "Holm",
        "too_small": small,
        "slices": [one.numbers(p) for one, p in zip(slices, adjusted, strict=True)],
    }
    return [Check("better.slices", QUESTION, not bad, message, numbers)]


def _slices(
    metric: str, heldout: Heldout, candidate: Floats, other: Floats, policy: GatePolicy
) -> tuple[list[Slice], int]:
    found, small = [], 0
    for column, cells in sorted(heldout.slices.items()):
        values, counts = np.unique(cells, return_counts=True)
        for value in values[np.argsort(-counts, kind="stable")][:_MOST_VALUES]:
            rows = np.flatnonzero(cells == value)
            if not _enough(metric, heldout, rows, policy):
                small += 1
                continue
            labels = np.asarray(heldout.labels)[rows]
            pair = compare(metric, labels, candidate[rows], other[rows], policy)
            found.append(Slice(column, str(value), len(rows), pair))
        small += max(0, len(values) - _MOST_VALUES)
    return found, small


def _enough(metric: str, heldout: Heldout, rows: NDArray[Any], policy: GatePolicy) -> bool:
    if len(rows) < policy.slice_minimum:
        return False
    if metric != "auc":
        return True
    positives = int(heldout.positives[rows].sum())
    return min(positives, len(rows) - positives) >= _LEAST_OF_A_CLASS
