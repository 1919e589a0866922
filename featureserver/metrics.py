"""Counts as Prometheus tells them. Names and help here; counting is in `tally`."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from featureserver.tally import BUCKETS, Durations, Tally


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is so now: the published state's number and age in seconds, None when there is none."""

    published: int | None
    age_seconds: float | None
    waiting: int


def exposition(tally: Tally, gauges: Gauges) -> bytes:
    """The exposition text."""
    return expose([*_counts(tally), *_gauges(gauges)])


def expose(families: Iterable[Metric]) -> bytes:
    """The exposition text of these families."""
    registry = CollectorRegistry()
    registry.register(_Once(list(families)))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counts(tally: Tally) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "fieldhouse_lookup_requests",
        "Lookups answered over HTTP, by feature service and status.",
        labels=("service", "status"),
    )
    for service, by_status in tally.requests.items():
        for status, count in by_status.items():
            requests.add_metric((service, str(status)), count)
    yield requests
    yield _counter("fieldhouse_lookup_rows", "Entities looked up.", tally.rows)
    yield _counter(
        "fieldhouse_lookup_invalid_values",
        "Values answered INVALID: unreadable rows, quarantined features, failed functions.",
        tally.invalid,
    )
    yield _counter(
        "fieldhouse_lookup_degraded",
        "Lookups answered from defaults because Redis did not answer.",
        tally.degraded,
    )
    stages = HistogramMetricFamily(
        "fieldhouse_lookup_seconds",
        "Time of a lookup over HTTP by stage: read the body, plan and encode keys, wait for the "
        "store, decode and render; and the whole of it.",
        labels=("stage",),
    )
    for stage, durations in tally.stages.items():
        stages.add_metric((stage,), buckets_of(durations), sum_value=durations.seconds)
    yield stages


def _gauges(gauges: Gauges) -> Iterable[Metric]:
    if gauges.published is not None:
        yield GaugeMetricFamily(
            "fieldhouse_published_number",
            "The published state that lookups obey.",
            value=gauges.published,
        )
    if gauges.age_seconds is not None:
        yield GaugeMetricFamily(
            "fieldhouse_published_age_seconds",
            "How long ago the registry last confirmed that state.",
            value=gauges.age_seconds,
        )
    yield GaugeMetricFamily(
        "fieldhouse_lookup_waiting",
        "Lookups under way in the worker that was asked.",
        value=gauges.waiting,
    )


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(name, told, value=value)


def buckets_of(durations: Durations) -> list[tuple[str, float]]:
    """Cumulated counts by upper bound, as Prometheus has them."""
    total, found = 0, []
    for bound, count in zip((*BUCKETS, float("inf")), durations.counts, strict=True):
        total += count
        found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return found
