"""What the model server counts, by model and version, and how it tells it to Prometheus.

A process counts in plain memory; the workers of one server add up each other's counts, see
`featureserver.tally`.
"""

from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import msgspec

from featureserver.tally import CountFiles, Durations
from serving.log import PredictionLog

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class ModelStats(msgspec.Struct):
    """What one version has done since the server started. Seconds are sums."""

    requests: int = 0
    rows: int = 0
    failures: int = 0
    missing: int = 0
    stale: int = 0
    lookup_seconds: float = 0.0
    last_at: float = 0.0
    durations: Durations = msgspec.field(default_factory=Durations)

    @property
    def seconds(self) -> float:
        return self.durations.seconds

    def predicted(
        self, seconds: float, lookup_seconds: float, rows: int, missing: int, stale: int
    ) -> None:
        """Count one answered prediction of `rows` rows."""
        self.requests += 1
        self.rows += rows
        self.missing += missing
        self.stale += stale
        self.lookup_seconds += lookup_seconds
        self.last_at = time()
        self.durations.observe(seconds)

    def add(self, other: "ModelStats") -> None:
        self.requests += other.requests
        self.rows += other.rows
        self.failures += other.failures
        self.missing += other.missing
        self.stale += other.stale
        self.lookup_seconds += other.lookup_seconds
        self.last_at = max(self.last_at, other.last_at)
        self.durations.add(other.durations)


class ServingTally(msgspec.Struct):
    """The counts of one process: by model and version, errors by kind, predictions not logged."""

    models: dict[str, dict[str, ModelStats]] = msgspec.field(default_factory=dict)
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    dropped: int = 0

    def of(self, model: str, version: str) -> ModelStats:
        """The counts of one version, made when it is first asked for."""
        try:
            return self.models[model][version]
        except KeyError:
            return self.models.setdefault(model, {}).setdefault(version, ModelStats())

    def add(self, other: "ServingTally") -> None:
        for model, versions in other.models.items():
            for version, stats in versions.items():
                self.of(model, version).add(stats)
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.dropped += other.dropped


class ServingMetrics:
    """Counts of this process, and of all workers of its server when they share `folder`."""

    def __init__(
        self, log: PredictionLog | None = None, folder: Path | None = None, slot: int = 0
    ) -> None:
        self._files = CountFiles(ServingTally, folder, slot)
        self._dropped_before = self._files.own.dropped
        self._log = log
        self.of = self._files.own.of

    def failed(self, model: str, version: str) -> None:
        """Count one prediction that was asked of this version and got an error."""
        self.of(model, version).failures += 1

    def refused(self, kind: str) -> None:
        """Count one request that got an error of this kind."""
        errors = self._files.own.errors
        errors[kind] = errors.get(kind, 0) + 1

    def publish(self) -> None:
        """Write this process's counts for the other workers."""
        self._settle()
        self._files.publish()

    def total(self) -> ServingTally:
        """The counts of all workers."""
        self._settle()
        return self._files.total()

    def text(self) -> bytes:
        """All workers' counts in Prometheus' format."""
        from featureserver.metrics import expose

        return expose(_families(self.total()))

    def _settle(self) -> None:
        if self._log is not None:
            self._files.own.dropped = self._dropped_before + self._log.dropped


def _families(tally: ServingTally) -> Iterable["Metric"]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    from featureserver.metrics import buckets_of

    labels = ("model", "version")
    seconds = HistogramMetricFamily(
        "fieldhouse_prediction_seconds", "Time from inputs to outputs, lookup included.",
        labels=labels,
    )  # fmt: skip
    rows = CounterMetricFamily("fieldhouse_prediction_rows", "Rows predicted.", labels=labels)
    missing = CounterMetricFamily(
        "fieldhouse_features_missing", "Features found absent.", labels=labels
    )
    stale = CounterMetricFamily(
        "fieldhouse_features_stale", "Features past their ttl.", labels=labels
    )
    for model, versions in tally.models.items():
        for version, stats in versions.items():
            of = (model, version)
            seconds.add_metric(of, buckets_of(stats.durations), sum_value=stats.seconds)
            rows.add_metric(of, stats.rows)
            missing.add_metric(of, stats.missing)
            stale.add_metric(of, stats.stale)
    errors = CounterMetricFamily(
        "fieldhouse_prediction_errors", "Requests refused or failed.", labels=("kind",)
    )
    for kind, count in tally.errors.items():
        errors.add_metric((kind,), count)
    dropped = CounterMetricFamily(
        "fieldhouse_prediction_log_dropped", "Predictions not logged.", value=tally.dropped
    )
    return seconds, rows, missing, stale, errors, dropped
