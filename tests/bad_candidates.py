"""Candidates that are wrong in one way each, as estimators that a server's allow list lets in.

They stand for what real models do: each is loaded by the real runtime in the gate's real process.
"""

import os
import threading
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
    """Every seventy-fifth answer takes its time."""

    def predict_proba(self, rows: Floats) -> Floats:
        self.calls += 1
        if self.calls % 75 == 0:
            time.sleep(0.3)
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


class ColumnsOffByOne(Sound):
    """Reads each value from the column before."""

    def predict_proba(self, rows: Floats) -> Floats:
        return super().predict_proba(np.roll(rows, 1, axis=1))


class Percent(Sound):
    """Says 70 where 0.7 is declared."""

    def predict_proba(self, rows: Floats) -> Floats:
        return 100 * super().predict_proba(rows)


class Overconfident(Sound):
    """Ranks as the sound one does; its probabilities are far too sure."""

    def predict_proba(self, rows: Floats) -> Floats:
        scores = super().predict_proba(rows)
        return scores**5 / (scores**5 + (1 - scores) ** 5)


class LabelsForScores(Sound):
    """Gives the class as a small integer where a probability is declared."""

    def predict_proba(self, rows: Floats) -> Floats:
        return (super().predict_proba(rows) > 0.5).astype(np.int8)


class OtherRowsAnswer(Sound):
    """Parts large batches in two, and puts their answers together the wrong way round."""

    def predict_proba(self, rows: Floats) -> Floats:
        scores = super().predict_proba(rows)
        return scores if len(rows) < 512 else np.roll(scores, len(rows) // 2)


class SinglePrecision(Sound):
    """Halves the score of even identifiers; in single precision 16,777,217 is 16,777,216."""

    def predict_proba(self, rows: Floats) -> Floats:
        even = (rows[:, 0] > 1e6) & (rows[:, 0].astype(np.float32) % 2 == 0)
        return super().predict_proba(rows) * np.where(even, 0.5, 1.0)


class SmallIntegers(Sound):
    """Counts in 32 bits, so that a large number turns negative."""

    def predict_proba(self, rows: Floats) -> Floats:
        wrapped = np.nan_to_num(rows[:, 0]).astype(np.int64).astype(np.int32)
        return np.where(wrapped < -1000, 0.0, super().predict_proba(rows))


class ByTheClock(Sound):
    """Answers by the second at which it is asked."""

    def predict_proba(self, rows: Floats) -> Floats:
        return super().predict_proba(rows) * (1 - 1e-5 * (int(time.time()) % 1000))


class SeededAtLoad(Sound):
    """Draws a number when it is loaded and answers by it ever after."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.drawn = float(np.random.default_rng().random()) * 1e-3

    def __getstate__(self) -> dict[str, Any]:
        return {"calls": 0}

    def predict_proba(self, rows: Floats) -> Floats:
        return super().predict_proba(rows) * (1 - self.drawn)


class ByTheEnvironment(Sound):
    """Answers by the time zone of the machine that it runs on."""

    def predict_proba(self, rows: Floats) -> Floats:
        home = time.localtime(0).tm_gmtoff == 0
        return super().predict_proba(rows) * (1.0 if home else 0.99)


class SlowAfterSilence(Sound):
    """Lets go of what it needs when nobody asks, and fetches it when somebody does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_at = 0.0

    def predict_proba(self, rows: Floats) -> Floats:
        if time.monotonic() - self.asked_at > 0.4 and self.asked_at:
            time.sleep(0.8)
        self.asked_at = time.monotonic()
        return super().predict_proba(rows)


class SlowAtFirst(Sound):
    """Does the work of loading at its first request."""

    def predict_proba(self, rows: Floats) -> Floats:
        if not self.calls:
            time.sleep(1.0)
        self.calls += 1
        return super().predict_proba(rows)


class LeavesFilesOpen(Sound):
    """Opens a file for every tenth request and never closes it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []

    def predict_proba(self, rows: Floats) -> Floats:
        self.calls += 1
        if self.calls % 10 == 0:
            self.kept.append(os.open(os.devnull, os.O_RDONLY))
        return super().predict_proba(rows)


class LeavesThreads(Sound):
    """Starts a thread for every twentieth request that never ends."""

    def predict_proba(self, rows: Floats) -> Floats:
        self.calls += 1
        if self.calls % 20 == 0:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        return super().predict_proba(rows)


class KeepsWhatFailed(Sound):
    """Remembers each row that it could not answer, with all that it knew then."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: list[Any] = []

    def predict_proba(self, rows: Floats) -> Floats:
        if np.isinf(rows).any():
            self.failed.append(np.ones(2000))
            raise ValueError("rows hold infinity")
        return super().predict_proba(rows)


class WorseOnOneSlice(Sound):
    """Draws lots for the category 3, and is as good as the sound one elsewhere."""

    def predict_proba(self, rows: Floats) -> Floats:
        drawn = np.abs(np.sin(1e4 * np.nan_to_num(rows).sum(axis=1)))
        return np.where(rows[:, 3] == 3.0, drawn, super().predict_proba(rows))


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
    ColumnsOffByOne,
    Percent,
    Overconfident,
    LabelsForScores,
    OtherRowsAnswer,
    SinglePrecision,
    SmallIntegers,
    ByTheClock,
    SeededAtLoad,
    ByTheEnvironment,
    SlowAfterSilence,
    SlowAtFirst,
    LeavesFilesOpen,
    LeavesThreads,
    KeepsWhatFailed,
    WorseOnOneSlice,
)
SKOPS_TYPES = ",".join(f"{MODULE}.{kind.__name__}" for kind in ALLOWED)
