"""The model server's metrics in Prometheus' format, in a collector registry of their own."""

from dataclasses import dataclass
from functools import cache
from time import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving.log import PredictionLog

# Boosted trees answer in tens of microseconds: buckets that start at 5 ms would show nothing.
BUCKETS = (
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3,
    0.1, 0.5, 1, 5,
)  # fmt: skip


@dataclass(slots=True)
class ModelStats:
    """What one version has done since this server started. Seconds are sums."""

    requests: int = 0
    rows: int = 0
    failures: int = 0
    seconds: float = 0.0
    lookup_seconds: float = 0.0
    last_at: float = 0.0

    def add(self, seconds: float, lookup_seconds: float, rows: int) -> None:
        self.requests += 1
        self.rows += rows
        self.seconds += seconds
        self.lookup_seconds += lookup_seconds
        self.last_at = time()


class ServingMetrics:
    """Counts and times of predictions, by model and version."""

    def __init__(self, log: PredictionLog | None = None) -> None:
        self._registry = CollectorRegistry()
        labels = ("model", "version")
        self._seconds = Histogram(
            "fieldhouse_prediction_seconds", "time from inputs to outputs, lookup included",
            labels, registry=self._registry, buckets=BUCKETS,
        )  # fmt: skip
        self._rows = self._counter("fieldhouse_prediction_rows", "rows predicted", labels)
        self._missing = self._counter(
            "fieldhouse_features_missing", "features found absent", labels
        )
        self._stale = self._counter("fieldhouse_features_stale", "features past their ttl", labels)
        self._errors = self._counter("fieldhouse_prediction_errors", "refused or failed", ("kind",))
        self._of = cache(self._children)
        self._stats: dict[tuple[str, str], ModelStats] = {}
        if log is not None:
            dropped = Gauge(
                "fieldhouse_prediction_log_dropped",
                "predictions not logged",
                registry=self._registry,
            )
            dropped.set_function(lambda: log.dropped)

    def _counter(self, name: str, doc: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, doc, labels, registry=self._registry)

    def _children(self, model: str, version: str) -> tuple[Histogram, Counter, Counter, Counter]:
        families = (self._seconds, self._rows, self._missing, self._stale)
        return tuple(family.labels(model, version) for family in families)  # type: ignore[return-value]

    def predicted(
        self,
        model: str,
        version: str,
        seconds: float,
        lookup_seconds: float,
        rows: int,
        missing: int,
        stale: int,
    ) -> None:
        """Count one answered prediction of `rows` rows."""
        histogram, rows_counter, missing_counter, stale_counter = self._of(model, version)
        self.stats(model, version).add(seconds, lookup_seconds, rows)
        histogram.observe(seconds)
        rows_counter.inc(rows)
        if missing:
            missing_counter.inc(missing)
        if stale:
            stale_counter.inc(stale)

    def stats(self, model: str, version: str) -> "ModelStats":
        """The counts of one version, as the protocol's statistics route tells them."""
        found = self._stats.get((model, version))
        if found is None:
            found = self._stats.setdefault((model, version), ModelStats())
        return found

    def failed(self, model: str, version: str) -> None:
        """Count one prediction that was asked of this version and got an error."""
        self.stats(model, version).failures += 1

    def refused(self, kind: str) -> None:
        """Count one request that got an error of this kind."""
        self._errors.labels(kind).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
