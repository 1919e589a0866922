"""Candidates that are wrong in one way each, as estimators that a server's allow list lets in.

They stand for what real models do: each is loaded by the real runtime in the gate's real process.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MODULE = __name__
_REST = 30_000_000


class Sound:
    """A logistic score of the four columns of `tests.model_room`; the others add a fault."""

    n_features_in_ = 4

    def __init__(self) -> None:
        self.calls = 0

    def predict_proba(self, rows: Floats) -> Floats:
        filled = np.nan_to_num(rows)
        return 1 / (1 + np.exp(-(1.5 * filled[:, 1] + filled[:, 2])))


class NanForOneCategory(Sound):
    """Knows nothing of the category 7 in the last column."""

    def predict_proba(self, rows: Floats) -> Floats:
        return np.where(rows[:, 3] == 7.0, np.nan, super().predict_proba(rows))


class WrongShape(Sound):
    """Two columns where one is declared, once there are more than sixteen rows."""

    def predict_proba(self, rows: Floats) -> Floats:
        scores = super().predict_proba(rows)
        return scores if len(rows) <= 16 else np.column_stack([scores, scores, scores])


class BatchDependent(Sound):
    """Normalizes by the batch that a row happens to be in."""

    def predict_proba(self, rows: Floats) -> Floats:
        filled = np.nan_to_num(rows)
        return super().predict_proba(filled - filled.mean(axis=0) * 0.1)


class Unsteady(Sound):
    """Gives another answer each time, in the last digits."""

    def predict_proba(self, rows: Floats) -> Floats:
        self.calls += 1
        return super().predict_proba(rows) * (1 - 1e-9 * self.calls) - 1e-7 * (self.calls % 2)


class SlowTail(Sound):
    """Every fortieth answer takes its time."""

    def predict_proba(self, rows: Floats) -> Floats:
        self.calls += 1
        if self.calls % 40 == 0:
            time.sleep(0.12)
        return super().predict_proba(rows)


class Slow(Sound):
    """Every answer takes five milliseconds."""

    def predict_proba(self, rows: Floats) -> Floats:
        time.sleep(0.005)
        return super().predict_proba(rows)


class HeavyToLoad(Sound):
    """Rests in 300 MB, takes three times as much while it is loaded."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        weights = np.ones(_REST)
        parts = [weights * factor for factor in (1.0, 2.0, 3.0)]
        self.weights = parts[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"calls": 0}


class Leaking(Sound):
    """Keeps something of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def predict_proba(self, rows: Floats) -> Floats:
        self.kept.append(np.ones(500))
        return super().predict_proba(rows)


class Program:
    """What nobody allowed."""


ALLOWED = (
    Sound,
    NanForOneCategory,
    WrongShape,
    BatchDependent,
    Unsteady,
    SlowTail,
    Slow,
    HeavyToLoad,
    Leaking,
)
SKOPS_TYPES = ",".join(f"{MODULE}.{kind.__name__}" for kind in ALLOWED)
