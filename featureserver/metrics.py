"""Prometheus metrics of one feature server. Names here; no decision is made from them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Seconds, from 10 µs: a lookup's stages are that short.
BUCKETS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
STAGES = ("read", "plan", "store", "answer")


class Metrics:
    """Counters and histograms under one registry of their own, so that apps in one process part."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fieldhouse_lookup_requests_total",
            "Lookups answered over HTTP, by feature service and status.",
            ("service", "status"),
            registry=self.registry,
        )
        self.rows = Counter(
            "fieldhouse_lookup_rows_total", "Entities looked up.", registry=self.registry
        )
        self.invalid = Counter(
            "fieldhouse_lookup_invalid_values_total",
            "Values answered INVALID: unreadable rows, quarantined features, failed functions.",
            registry=self.registry,
        )
        self.published = Gauge(
            "fieldhouse_published_number",
            "The published state that lookups obey.",
            registry=self.registry,
        )
        self.state_age = Gauge(
            "fieldhouse_published_age_seconds",
            "How long ago the registry last confirmed that state.",
            registry=self.registry,
        )
        stages = Histogram(
            "fieldhouse_lookup_seconds",
            "Time of a lookup over HTTP by stage: read the body, plan and encode keys, wait for "
            "the store, decode and render.",
            ("stage",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.stages = {stage: stages.labels(stage) for stage in STAGES}

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
