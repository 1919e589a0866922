"""A Feast repository over the benchmark's files, with Feast's DuckDB store. Runs where Feast has
its `duckdb` extra; imports nothing of ours."""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, Int64

from bench.training_data import Shape


def open_store(shape: Shape, folder: Path) -> tuple[FeatureStore, list[str]]:
    """The store with its views applied, and the references of all features."""
    config = RepoConfig(
        project="bench",
        registry=str(folder / "feast-registry.db"),
        provider="local",
        offline_store={"type": "duckdb"},
        online_store={"type": "sqlite", "path": str(folder / "feast-online.db")},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    refs: list[str] = []
    for number in range(shape.views):
        name, key = shape.view(number), f"key{number}"
        entity = Entity(name=f"entity{number}", join_keys=[key])
        source = FileSource(
            name=name,
            path=str(folder / f"{name}.parquet"),
            timestamp_field="event_timestamp",
            created_timestamp_column="created" if shape.created else None,
        )
        features = shape.feature_names(number)
        fields = [Field(name=key, dtype=Int64), *(Field(name=f, dtype=Float64) for f in features)]
        view = FeatureView(
            name=name, entities=[entity], schema=fields, source=source, ttl=timedelta(days=3_650)
        )
        store.apply([entity, view])
        refs += [f"{name}:{feature}" for feature in features]
    return store, refs
