"""The one predictor behind every placement: in process, Unix socket, TCP. No HTTP lives here."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter
from typing import Any

import msgspec
import numpy as np

from featureserver.admission import Overloaded
from registry.kernel.clock import Clock
from registry.kernel.errors import Corrupt, Unavailable
from serving.loaded import LoadedModel, Router
from serving.log import PredictionLog
from serving.logged import LogEntry
from serving.metrics import ServingMetrics
from serving.ports import FeatureLookup, FeatureMatrix
from serving.rows import Floats, Given
from serving.signature import Input, Signature
from serving.tensors import Array, Values, from_values

INLINE_ROWS = 4096
WAITING_PER_WORKER = 8
_THREADS = 64


class Late(Unavailable):
    """The deadline that the client set has passed."""


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """One answer. Outputs are [n] or [n, w]; the age is that of the oldest feature looked up,
    None when nothing was looked up."""

    prediction_id: str
    model: str
    version: str
    outputs: Mapping[str, Array]
    oldest_age_seconds: float | None
    missing: int
    stale: int


class Work(msgspec.Struct, eq=False):
    """One request on its way: what was sent, what is absent, when it began."""

    model: LoadedModel
    given: Given
    absent: tuple[str, ...]
    prediction_id: str | None
    started: float
    looked_up_at: float = 0.0


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
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="predict")

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
        started = perf_counter()
        found = self.find(model, version)
        given = found.plan.whole(inputs)
        if given is None:
            given = found.plan.read(read_values(found.signature, inputs))
        return self._answered(_work(found, given, prediction_id, started))

    def answer(
        self, model: LoadedModel, tensors: Mapping[str, Values], prediction_id: str | None = None
    ) -> Prediction:
        """Answer tensors that a codec has read already. Raises as `predict` does."""
        return self._answered(_begin(model, tensors, prediction_id))

    def _answered(self, work: Work) -> Prediction:
        matrix, model = None, work.model
        if work.absent:
            lookup = self._lookup_for(work)
            matrix = lookup.matrix(self._plan(lookup, model), work.given.keys, _caller(model))
        rows = self._rows(work, matrix)
        return self._finish(work, matrix, rows, model.runtime.predict(rows))

    async def answer_async(
        self,
        model: LoadedModel,
        tensors: Mapping[str, Values],
        prediction_id: str | None = None,
        deadline: float | None = None,
    ) -> Prediction:
        """`answer` for an event loop, which is held only by models in process and few rows.

        `deadline` is a moment of `time.monotonic`: raises `Late` when it passes before the answer,
        `Overloaded` when too many wait for this model's worker.
        """
        if deadline is None:
            return await self._answer(model, tensors, prediction_id, None)
        try:
            # No `asyncio.timeout`: a request that has not waited yet has no task of its own.
            answering = self._answer(model, tensors, prediction_id, deadline)
            return await asyncio.wait_for(answering, deadline - monotonic())
        except TimeoutError:
            raise Late(f"model {model.name} did not answer within the deadline") from None

    async def _answer(
        self,
        model: LoadedModel,
        tensors: Mapping[str, Values],
        prediction_id: str | None,
        deadline: float | None,
    ) -> Prediction:
        work = _begin(model, tensors, prediction_id)
        matrix = None
        if work.absent:
            lookup = self._lookup_for(work)
            plan = self._plan(lookup, model)
            matrix = await lookup.matrix_async(plan, work.given.keys, _caller(model))
        rows = self._rows(work, matrix)
        if deadline is not None and monotonic() >= deadline:
            raise Late(f"the deadline passed before model {model.name} was asked")
        if model.isolated or len(rows) > INLINE_ROWS:
            outputs = await self._in_thread(model, rows)
        else:
            outputs = model.runtime.predict(rows)
        return self._finish(work, matrix, rows, outputs)

    async def _in_thread(self, model: LoadedModel, rows: Floats) -> Mapping[str, Array]:
        key = (model.name, model.version)
        if self._waiting[key] >= WAITING_PER_WORKER:
            raise Overloaded(f"{WAITING_PER_WORKER} requests wait for model {model.name} already")
        self._waiting[key] += 1
        running = self._threads.submit(model.runtime.predict, rows)
        loop = asyncio.get_running_loop()
        # Counted until it has really ended: a client that leaves does not free the worker.
        running.add_done_callback(lambda _: self._left(loop, key))
        return await asyncio.wrap_future(running)

    def _left(self, loop: asyncio.AbstractEventLoop, key: tuple[str, str]) -> None:
        def leave() -> None:
            self._waiting[key] -= 1

        if not loop.is_closed():
            loop.call_soon_threadsafe(leave)

    def _lookup_for(self, work: Work) -> FeatureLookup:
        work.model.plan.check_lookup(work.given, work.absent)
        if self._lookup is None:
            raise Unavailable(
                "this server has no feature lookup", hint="send every feature, or configure Redis"
            )
        return self._lookup

    def _plan(self, lookup: FeatureLookup, model: LoadedModel) -> Any:
        return lookup.plan(model.refs, full_feature_names=True)

    def _rows(self, work: Work, matrix: FeatureMatrix | None) -> Floats:
        if matrix is None:
            return work.model.plan.assemble(work.given, None)
        work.looked_up_at = perf_counter()
        if matrix.values.shape != (work.given.rows, len(work.model.refs)):
            raise Corrupt(
                f"the lookup gave {matrix.values.shape} values",
                f"asked for {work.given.rows} rows of {len(work.model.refs)} features",
            )
        return work.model.plan.assemble(work.given, matrix.values)

    def _finish(
        self,
        work: Work,
        matrix: FeatureMatrix | None,
        rows: Floats,
        outputs: Mapping[str, Array],
    ) -> Prediction:
        seconds = perf_counter() - work.started
        model, given = work.model, work.given
        prediction = Prediction(
            work.prediction_id or os.urandom(16).hex(),
            model.name,
            model.version,
            outputs,
            None if matrix is None else matrix.oldest_age_seconds,
            0 if matrix is None else _missing(matrix, model, given),
            0 if matrix is None else matrix.stale,
        )
        looking = work.looked_up_at - work.started if matrix is not None else 0.0
        self.metrics.of(model.name, model.version).predicted(
            seconds, looking, given.rows, prediction.missing, prediction.stale
        )
        if self._log is not None:
            events: Sequence[Sequence[int]] = () if matrix is None else matrix.events
            self._log.offer(
                LogEntry(
                    prediction.prediction_id, self._clock(), model.version, model.signature,
                    model.name, given.keys, rows, outputs, seconds,
                    prediction.oldest_age_seconds, prediction.missing, prediction.stale,
                    events, given.columns.keys(),
                )
            )  # fmt: skip
        return prediction

    async def close_async(self) -> None:
        """`close` from the event loop that predictions were made on."""
        if self._lookup is not None:
            await self._lookup.close_async()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Stop following the registry, flush the log, end the workers of isolated models."""
        if self._on_close is not None:
            self._on_close()
        if self._log is not None:
            self._log.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for model in self.router.routes.all():
            if model.isolated:
                model.runtime.unload()


def _begin(model: LoadedModel, tensors: Mapping[str, Values], prediction_id: str | None) -> Work:
    started = perf_counter()
    given = model.plan.whole(tensors) or model.plan.read(tensors)
    return _work(model, given, prediction_id, started)


def _work(model: LoadedModel, given: Given, prediction_id: str | None, started: float) -> Work:
    return Work(model, given, model.plan.missing(given), prediction_id, started)


def _missing(matrix: FeatureMatrix, model: LoadedModel, given: Given) -> int:
    """Absent values among the features that the client did not send itself."""
    if not given.columns:
        return matrix.missing
    kept = [i for i, name in enumerate(model.plan.looked_up) if name not in given.columns]
    return int(np.isnan(matrix.values[:, kept]).sum())


def read_values(signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Values]:
    """Python values as tensors of the signature's types; unknown names are left to the plan."""
    tensors: dict[str, Values] = {}
    for name, values in inputs.items():
        known = signature.by_name.get(name)
        if isinstance(values, np.ndarray) or (known is not None and _are_keys(known, values)):
            tensors[name] = values
        else:
            tensors[name] = from_values(name, known.datatype if known else "BYTES", values)
    return tensors


def _are_keys(known: Input, values: Any) -> bool:
    """Whether these are texts that a lookup takes as they are."""
    if known.kind == "feature" or known.datatype != "BYTES" or type(values) is not list:
        return False
    return all(type(value) is str for value in values)


def _caller(model: LoadedModel) -> str:
    """Whose use a lookup counts as."""
    return f"model {model.name}"
