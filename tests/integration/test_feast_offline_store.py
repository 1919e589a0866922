"""Feast's own FeatureStore over our offline store: its calls, our rows."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Float64, Int64

from fieldhouse.feast_offline import FieldhouseOfflineStore
from tests.warehouses import hour, hours

pytestmark = [pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeatureStore]:
    table = pa.table(
        {
            "id": [1, 1, 2],
            "at": hours(1, 3, 2),
            "known_at": hours(1, 9, 2),
            "raw": [10.0, 30.0, 20.0],
        }
    )
    pq.write_table(table, tmp_path / "readings.parquet")
    config = RepoConfig(
        project="lab",
        registry=str(tmp_path / "registry.db"),
        provider="local",
        offline_store={"type": "fieldhouse.feast_offline.FieldhouseOfflineStore"},
        online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
        entity_key_serialization_version=3,
        repo_path=tmp_path,
    )
    made = FeatureStore(config=config)
    thing = Entity(name="thing", join_keys=["id"])
    source = FileSource(
        name="readings",
        path="readings.parquet",
        timestamp_field="at",
        created_timestamp_column="known_at",
        field_mapping={"raw": "value"},
    )
    view = FeatureView(
        name="reading",
        entities=[thing],
        schema=[Field(name="id", dtype=Int64), Field(name="value", dtype=Float64)],
        source=source,
        ttl=timedelta(hours=12),
    )
    made.apply([thing, view])
    yield made


def entities(*rows: tuple[int | None, float]) -> pd.DataFrame:
    return pd.DataFrame({"id": [r[0] for r in rows], "event_timestamp": [hour(r[1]) for r in rows]})


def test_feast_gets_every_row_once_in_order_as_known_then(store: FeatureStore) -> None:
    rows = entities((2, 5), (1, 5), (1, 5), (3, 5), (1, 9), (1, 30))
    frame = store.get_historical_features(rows, ["reading:value"]).to_df()
    assert frame["id"].tolist() == [2, 1, 1, 3, 1, 1]
    values = frame["value"].astype(object).where(frame["value"].notna(), None).tolist()
    assert values == [20, 10, 10, None, 30, None]


def test_names_may_carry_the_view(store: FeatureStore) -> None:
    job = store.get_historical_features(
        entities((2, 5)), ["reading:value"], full_feature_names=True
    )
    assert job.to_arrow().column_names == ["id", "event_timestamp", "reading__value"]


def test_feast_materializes_from_it(store: FeatureStore) -> None:
    store.materialize(hour(0), hour(10))
    answer = store.get_online_features(["reading:value"], [{"id": 1}, {"id": 2}]).to_dict()
    assert answer["value"] == [30, 20]


def test_a_retrieval_is_kept_as_a_saved_dataset(store: FeatureStore, tmp_path: Path) -> None:
    job = store.get_historical_features(entities((2, 5)), ["reading:value"])
    storage = SavedDatasetFileStorage(path=str(tmp_path / "kept.parquet"))
    job.persist(storage)
    assert pq.read_table(tmp_path / "kept.parquet").column("value").to_pylist() == [20]
    with pytest.raises(Exception, match="already exists"):
        job.persist(storage)


def test_rows_are_added_to_a_source(store: FeatureStore, tmp_path: Path) -> None:
    view = store.get_feature_view("reading")
    more = pa.table({"id": [2], "at": hours(4), "known_at": hours(4), "raw": [21.0]})
    FieldhouseOfflineStore.offline_write_batch(store.config, view, more, None)
    frame = store.get_historical_features(entities((2, 5)), ["reading:value"]).to_df()
    assert frame["value"].tolist() == [21]
    with pytest.raises(ValueError, match="incorrect columns"):
        FieldhouseOfflineStore.offline_write_batch(store.config, view, more.drop(["raw"]), None)


def test_a_source_without_its_file_is_said_so(store: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / "readings.parquet").unlink()
    with pytest.raises(Exception, match="has no file"):
        store.get_historical_features(entities((2, 5)), ["reading:value"])
