"""A Feast repository over a Redis, made and filled by Feast itself, as its documentation says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FeastTable:
    """One view of float64 features and its rows: `columns` are those of its keys and features, and
    `at`, the event times."""

    name: str
    keys: Sequence[str]
    features: Sequence[str]
    columns: Mapping[str, Any]


def feast_store(
    folder: Path,
    url: str,
    tables: Sequence[FeastTable],
    services: Mapping[str, Sequence[str]],
    key_type: str,
) -> Any:
    """A Feast store whose Redis at `url` holds the tables. `services` are names of views by the
    service's name; `key_type` is Feast's name of the keys' type, such as INT64."""
    import pandas as pd
    from feast import Entity, FeatureService, FeatureStore, RepoConfig, ValueType

    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "redis", "connection_string": url.removeprefix("redis://")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    keys = dict.fromkeys(key for table in tables for key in table.keys)
    kind = ValueType[key_type]
    entities = {key: Entity(name=key, join_keys=[key], value_type=kind) for key in keys}
    views = {table.name: _view(folder, table, entities) for table in tables}
    made = [
        FeatureService(name=name, features=[views[one] for one in of])
        for name, of in services.items()
    ]
    store.apply([*entities.values(), *views.values(), *made])
    for table in tables:
        store.write_to_online_store(table.name, pd.DataFrame(table.columns))
    return store


def _view(folder: Path, table: FeastTable, entities: Mapping[str, Any]) -> Any:
    import pandas as pd
    from feast import FeatureView, Field, FileSource
    from feast.types import Float64

    path = folder / f"{table.name}.parquet"  # Feast looks at it; rows are written past it
    pd.DataFrame(table.columns).head(1).to_parquet(path)
    source = FileSource(name=f"s_{table.name}", path=str(path), timestamp_field="at")
    return FeatureView(
        name=table.name,
        entities=[entities[key] for key in table.keys],
        schema=[Field(name=one, dtype=Float64) for one in table.features],
        source=source,
    )
