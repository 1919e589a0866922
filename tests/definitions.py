"""Builders of definitions with good defaults, for tests of the registry."""

from dataclasses import replace
from typing import Any

from registry.core.compile import compile_repository
from registry.core.compiled import Compiled
from registry.core.definitions import (
    Entity,
    Feature,
    FeatureService,
    FeatureView,
    Governance,
    JoinKey,
    OnDemandView,
    Repository,
    Source,
)

CARRIER = Entity("carrier", JoinKey("carrier", "string"), "an airline", "ops@example.com")
QUERY = """
SELECT carrier, at AS event_timestamp,
       avg(delay) AS mean_delay,
       max(delay) AS worst_delay
FROM flights GROUP BY carrier, at
"""


def facts(**changes: Any) -> Governance:
    """Facts of a feature in production, described and owned."""
    base = Governance(
        owner="ops@example.com", description="how late", unit="minutes", state="production"
    )
    return replace(base, **changes)


def feature(name: str, dtype: str = "float64", **changes: Any) -> Feature:
    return Feature(name, dtype, facts(**changes))


def sql_source(query: str = QUERY, **changes: Any) -> Source:
    base = Source("delays", "sql", query=query, timestamp_field="event_timestamp")
    return replace(base, **changes)


def view(*features: Feature, name: str = "delays", **changes: Any) -> FeatureView:
    """A view of carriers over `QUERY`; mean_delay and worst_delay when no feature is given."""
    base = FeatureView(
        name=name,
        entities=("carrier",),
        join_keys=(CARRIER.join_key,),
        source=sql_source(),
        features=features or (feature("mean_delay"), feature("worst_delay")),
        ttl_seconds=86400.0,
    )
    return replace(base, **changes)


def service(*refs: str, name: str = "late", **changes: Any) -> FeatureService:
    return replace(FeatureService(name, refs, owner="ops@example.com"), **changes)


def repository(
    *views: FeatureView,
    services: tuple[FeatureService, ...] = (),
    on_demand: tuple[OnDemandView, ...] = (),
    namespace: str = "flights",
) -> Repository:
    return Repository(namespace, (CARRIER,), views, on_demand, services)


def compiled(
    *views: FeatureView,
    services: tuple[FeatureService, ...] = (),
    on_demand: tuple[OnDemandView, ...] = (),
    namespace: str = "flights",
) -> Compiled:
    """A compiled repository of these views."""
    return compile_repository(
        repository(*views, services=services, on_demand=on_demand, namespace=namespace)
    )
