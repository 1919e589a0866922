"""Feast's historical retrieval over our join: entity rows in, the same rows with features out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.feature_view import FeatureView
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.utils import (
    _get_requested_feature_views_to_features_dict,
    _get_requested_on_demand_feature_views,
    compute_non_entity_date_range,
)

from fieldhouse.feast_files import replace_file, source_path
from fieldhouse.feast_sources import NO_ENTITY, OpenSources, open_sources
from registry.core.published import PublishedView
from registry.kernel.errors import Misuse
from warehouse.engines.port import Engine
from warehouse.instants import check_time, in_utc

TIME = "event_timestamp"
_AT = "__entity_time"


class FieldhouseRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A retrieval that runs when its rows are asked for, once."""

    def __init__(
        self,
        run: Callable[[], pa.Table],
        config: RepoConfig,
        full_feature_names: bool = False,
        on_demand: Sequence[OnDemandFeatureView] = (),
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._run = run
        self._config = config
        self._full_feature_names = full_feature_names
        self._on_demand = list(on_demand)
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._run()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._run().to_pandas()

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool | None = False,
        timeout: int | None = None,
    ) -> None:
        """Keep the rows as a Parquet file, or as a folder of one. Raises Feast's
        `SavedDatasetLocationAlreadyExists` unless `allow_overwrite`."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise Misuse("datasets are saved as files", f"found {type(storage).__name__}")
        path = source_path(self._config, storage.file_options.uri)
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
        table = self.to_arrow()
        if path.suffix == ".parquet" or path.is_file():
            replace_file(path, table)
        else:
            pq.write_to_dataset(table, root_path=path)

    def supports_remote_storage_export(self) -> bool:
        return False


def historical_job(
    config: RepoConfig,
    views: list[FeatureView],
    refs: list[str],
    entity_df: pd.DataFrame | pa.Table | str | None,
    registry: BaseRegistry,
    full_feature_names: bool,
    **options: Any,
) -> FieldhouseRetrievalJob:
    """The job of `get_historical_features`; see `FieldhouseOfflineStore`."""
    on_demand = _get_requested_on_demand_feature_views(refs, config.project, registry)
    chosen, _ = _get_requested_feature_views_to_features_dict(refs, views, on_demand)
    known = getattr(config.offline_store, "created_times", "known") == "known"
    known = known or bool(options.get("filter_by_created_timestamp"))
    opened = open_sources(config, [view.batch_source for view in chosen])
    joins = {view: opened.view(view, names, known) for view, names in chosen.items()}
    spine, time = _spine(entity_df, opened, joins, options)

    def run() -> pa.Table:
        return _join(opened.engine, spine, time, joins, full_feature_names)

    least, greatest = _range(spine.column(time))
    keys = [name for name in spine.column_names if name != time]
    metadata = RetrievalMetadata(refs, keys, least, greatest)
    return FieldhouseRetrievalJob(run, config, full_feature_names, on_demand, metadata)


def _spine(
    entity_df: pd.DataFrame | pa.Table | str | None,
    opened: OpenSources,
    joins: Mapping[FeatureView, PublishedView],
    options: Mapping[str, Any],
) -> tuple[pa.Table, str]:
    """Entity rows with their times in UTC, and the time column's name."""
    if entity_df is None:
        return _every_entity(opened.engine, joins, options), TIME
    if isinstance(entity_df, str):
        table = opened.engine.query(entity_df)
    elif isinstance(entity_df, pa.Table):
        table = entity_df
    else:
        table = _from_pandas(entity_df)
    time = infer_event_timestamp_from_entity_df(table.schema.empty_table().to_pandas().dtypes)
    check_time(time, table.schema.field(time).type, "the entity rows")
    place = table.column_names.index(time)
    return table.set_column(place, time, in_utc(table.column(time), "UTC")), time


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Arrow of a frame; times that pandas keeps as objects (of unlike zones) are read as UTC."""
    if TIME in frame.columns and frame[TIME].dtype == object:
        frame = frame.assign(**{TIME: pd.to_datetime(frame[TIME], utc=True)})
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _every_entity(
    engine: Engine, joins: Mapping[FeatureView, PublishedView], options: Mapping[str, Any]
) -> pa.Table:
    """Without entity rows: every entity that the views know, at the interval's end."""
    _, end = compute_non_entity_date_range(
        list(joins), start_date=options.get("start_date"), end_date=options.get("end_date")
    )
    until = end if end.tzinfo else end.replace(tzinfo=UTC)
    names = {tuple(key.name for key in view.join_keys) for view in joins.values()}
    if len(names) != 1:
        raise Misuse("views of unlike entities need entity rows", str(sorted(names)))
    tables = [
        engine.latest(view, since=None, until=until)
        .read_all()
        .select([k.name for k in view.join_keys])
        for view in joins.values()
    ]
    keys = pa.concat_tables(tables, promote_options="permissive")
    keys = keys.group_by(keys.column_names, use_threads=False).aggregate([])
    times = pa.array([until] * keys.num_rows, pa.timestamp("us", tz="UTC"))
    return keys.append_column(TIME, times)


def _join(
    engine: Engine,
    spine: pa.Table,
    time: str,
    joins: Mapping[FeatureView, PublishedView],
    full_names: bool,
) -> pa.Table:
    table = spine
    for view, ours in joins.items():
        names = view.projection.join_key_map
        keys = {
            key.name: names.get(key.name, key.name)
            for key in ours.join_keys
            if key.name != NO_ENTITY
        }
        _check_keys(view, list(keys.values()), spine)
        asked = pa.table({**{k: spine.column(c) for k, c in keys.items()}, _AT: spine.column(time)})
        wanted = [feature.name for feature in ours.features]
        found = engine.as_of(asked, _AT, ours, wanted)
        prefix = f"{view.projection.name_to_use()}__" if full_names else ""
        for name in wanted:
            if prefix + name not in table.column_names:
                table = table.append_column(prefix + name, found.column(name))
    return table


def _check_keys(view: FeatureView, keys: Sequence[str], spine: pa.Table) -> None:
    from feast.errors import FeastEntityDFMissingColumnsError

    missing = set(keys) - set(spine.column_names)
    if missing:
        raise FeastEntityDFMissingColumnsError(set(keys), missing)


def _range(times: pa.ChunkedArray) -> tuple[datetime | None, datetime | None]:
    found = pc.min_max(times).as_py()
    return found["min"], found["max"]
