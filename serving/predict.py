"""The one predictor behind every placement: in process, Unix socket, TCP. No HTTP lives here."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.clock import Clock
from registry.kernel.errors import Corrupt, Unavailable
from serving.loaded import LoadedModel, Router
from serving.log import LogEntry, PredictionLog
from serving.metrics import ServingMetrics
from serving.ports import FeatureLookup, FeatureMatrix
from serving.rows import Given
from serving.signature import Signature
from serving.tensors import Array, from_values


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. Outputs are [n] or [n, w]; the age is that of the oldest feature looked up,
    None when nothing was looked up."""

    prediction_id: str
    model: str
    version: str
    outputs: Mapping[str, Array]
    oldest_age_seconds: float | None
    missing: int
    stale: int


class Predictor:
    """Turns inputs into answers: features, row, model, log. Safe to call from any thread."""

    def __init__(
        self,
        router: Router,
        clock: Clock,
        lookup: FeatureLookup | None = None,
        log: PredictionLog | None = None,
        metrics: ServingMetrics | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.router = router
        self.metrics = metrics or ServingMetrics(log)
        self._clock = clock
        self._lookup = lookup
        self._log = log
        self._on_close = on_close

    def find(self, model: str, version: str | None = None) -> LoadedModel:
        """The loaded model that would answer. Raises `NotFound` or `Unavailable`."""
        return self.router.routes.find(model, version)

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: str | None = None,
        prediction_id: str | None = None,
    ) -> Prediction:
        """Answer for n rows.

        `inputs` are entity keys, features or both, by name: numpy arrays, lists, or scalars for
        one row. Features that are not sent are looked up. Raises `Invalid` (names, shapes,
        types), `NotFound`, `Unavailable`, `Gone`.
        """
        found = self.find(model, version)
        tensors = read_values(found.signature, inputs)
        return self.answer(found, tensors, prediction_id)

    def answer(
        self, model: LoadedModel, tensors: Mapping[str, Array], prediction_id: str | None = None
    ) -> Prediction:
        """Answer tensors that a codec has read already. Raises as `predict` does."""
        started = perf_counter()
        given = model.plan.read(tensors)
        absent = model.plan.missing(given)
        matrix = self._look_up(model, given, absent) if absent else None
        rows = model.plan.assemble(given, None if matrix is None else matrix.values)
        outputs = model.runtime.predict(rows)
        seconds = perf_counter() - started
        prediction = Prediction(
            prediction_id or os.urandom(16).hex(),
            model.name,
            model.version,
            outputs,
            None if matrix is None else matrix.oldest_age_seconds,
            0 if matrix is None else _missing(matrix, model, given),
            0 if matrix is None else matrix.stale,
        )
        self._record(prediction, model, given, rows, seconds)
        return prediction

    def _look_up(self, model: LoadedModel, given: Given, absent: tuple[str, ...]) -> FeatureMatrix:
        model.plan.check_lookup(given, absent)
        if self._lookup is None:
            raise Unavailable(
                "this server has no feature lookup", hint="send every feature, or configure Redis"
            )
        plan = self._lookup.plan(model.refs, full_feature_names=True)
        matrix = self._lookup.matrix(plan, given.keys)
        if matrix.values.shape != (given.rows, len(model.refs)):
            raise Corrupt(
                f"the lookup gave {matrix.values.shape} values",
                f"asked for {given.rows} rows of {len(model.refs)} features",
            )
        return matrix

    def _record(
        self,
        prediction: Prediction,
        model: LoadedModel,
        given: Given,
        rows: NDArray[np.float64],
        seconds: float,
    ) -> None:
        self.metrics.predicted(
            model.name, model.version, seconds, given.rows, prediction.missing, prediction.stale
        )
        if self._log is not None:
            self._log.offer(
                LogEntry(
                    prediction.prediction_id, self._clock(), model.version, model.signature,
                    model.name, given.keys, rows, prediction.outputs, seconds,
                    prediction.oldest_age_seconds, prediction.missing, prediction.stale,
                )
            )  # fmt: skip

    def close(self) -> None:
        """Stop following the registry, flush the log. Models stay usable."""
        if self._on_close is not None:
            self._on_close()
        if self._log is not None:
            self._log.close()


def _missing(matrix: FeatureMatrix, model: LoadedModel, given: Given) -> int:
    """Absent values among the features that the client did not send itself."""
    if not given.columns:
        return matrix.missing
    kept = [i for i, name in enumerate(model.plan.looked_up) if name not in given.columns]
    return int(np.isnan(matrix.values[:, kept]).sum())


def read_values(signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Python values as tensors of the signature's types; unknown names are left to the plan."""
    tensors: dict[str, Array] = {}
    for name, values in inputs.items():
        known = signature.by_name.get(name)
        if isinstance(values, np.ndarray):
            tensors[name] = values
        else:
            tensors[name] = from_values(name, known.datatype if known else "BYTES", values)
    return tensors
