"""Builders of published values with good defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from registry.core.definitions import JoinKey, Source
from registry.core.published import (
    KEY_FORMAT,
    Published,
    PublishedFeature,
    PublishedService,
    PublishedView,
    RowSchema,
)

NOON = datetime(2013, 10, 1, 12, tzinfo=UTC)


def feature(name: str, dtype: str = "float64", **changes: object) -> PublishedFeature:
    """A live production feature of version 1."""
    made = PublishedFeature(
        name=name,
        dtype=dtype,
        version=1,
        state="production",
        meaning=f"sha256:{name}",
        owner="owner@example.com",
        description=f"the {name}",
        unit="1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def view(
    name: str,
    features: Sequence[PublishedFeature],
    join_keys: Mapping[str, str] | None = None,
    source: Source | None = None,
    **changes: object,
) -> PublishedView:
    """A line 1 view over warehouse table `name`, event time in `event_timestamp`."""
    keys = tuple(JoinKey(key, dtype) for key, dtype in (join_keys or {"id": "int64"}).items())
    made = PublishedView(
        namespace="test",
        name=name,
        line=1,
        entities=tuple(key.name for key in keys),
        join_keys=keys,
        source=source or Source(name, "table", table=name, timestamp_field="event_timestamp"),
        features=tuple(features),
        row_schemas=(RowSchema(1, tuple((f.name, f.dtype) for f in features)),),
        key_format=KEY_FORMAT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def published(
    *views: PublishedView, services: Mapping[str, Sequence[str]] | None = None, number: int = 1
) -> Published:
    """A published state; `services` maps a service's name to its references."""
    state = Published(number, NOON, "test", {v.key: v for v in views})
    pinned = {
        name: PublishedService("test", name, tuple(state.resolve(ref) for ref in refs))
        for name, refs in (services or {}).items()
    }
    return replace(state, services=pinned)
