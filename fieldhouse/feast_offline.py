"""Feast's offline store over our warehouse, for `offline_store: {type: …FieldhouseOfflineStore}`.

`get_historical_features` answers with our rows: every entity row once and in order, values as they
were known at its time. What Feast's own stores do with files (appending, logs, saved datasets) is
done here the same way, but whole or not at all.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from fieldhouse.feast_files import replace_file, source_path
from fieldhouse.feast_retrieval import FieldhouseRetrievalJob, historical_job
from fieldhouse.feast_sources import open_sources
from registry.kernel.errors import Invalid, Misuse


class FieldhouseOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """`memory_limit` (such as 4GB) and `threads` bound a query; `created_times: tie_break` lets
    late rows through as Feast does, where `known` (ours) hides what was not known yet."""

    type: Literal["fieldhouse.feast_offline.FieldhouseOfflineStore"] = (
        "fieldhouse.feast_offline.FieldhouseOfflineStore"
    )
    memory_limit: str = ""
    threads: int = 0
    created_times: Literal["known", "tie_break"] = "known"


class FieldhouseOfflineStore(OfflineStore):  # type: ignore[misc]
    """The store as Feast calls it: static methods alone."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """A job whose rows are the entity rows, in order, with the features behind them."""
        return historical_job(
            config, feature_views, feature_refs, entity_df, registry, full_feature_names, **kwargs
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """The newest row per entity of those whose event lies in the interval, both ends in."""
        times = _times(timestamp_field, created_timestamp_column)
        return _pull(
            config,
            data_source,
            [*join_key_columns, *feature_name_columns, *times],
            (timestamp_field, start_date, end_date),
            newest_of=join_key_columns,
            times=times,
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every row whose event lies in the interval, both ends in."""
        times = _times(timestamp_field, created_timestamp_column)
        return _pull(
            config,
            data_source,
            [*join_key_columns, *feature_name_columns, *times],
            (timestamp_field, start_date, end_date),
        )

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Add logged rows to the destination's folder, as files of their own."""
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise Misuse("features are logged to files", f"found {type(destination).__name__}")
        table = pq.read_table(data) if isinstance(data, Path) else data
        ds.write_dataset(
            table,
            base_dir=source_path(config, destination.path),
            basename_template=f"{uuid.uuid4().hex}-{{i}}.parquet",
            partitioning=destination.partition_by,
            format="parquet",
            existing_data_behavior="overwrite_or_ignore",
        )

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Add rows to a view's source: a file of their own in its folder, or its one file written
        anew. Raises `ValueError` for other columns than the source's, as Feast expects."""
        source = feature_view.batch_source
        if not isinstance(source, FileSource):
            raise Invalid(f"source {source.name!r} cannot be written", "it is not a file")
        path = source_path(config, source.path)
        schema = ds.dataset(path, format="parquet").schema
        if schema.names != table.column_names:
            raise ValueError(
                f"The input pyarrow table has the incorrect columns {table.column_names}. "
                f"The columns are expected to be (in this exact order): {schema.names}."
            )
        table = table.cast(schema)
        if path.is_dir():
            replace_file(path / f"{uuid.uuid4().hex}.parquet", table)
        else:
            replace_file(path, pa.concat_tables([pq.read_table(path).cast(schema), table]))
        if progress is not None:
            progress(table.num_rows)


def _times(timestamp_field: str, created: str | None) -> list[str]:
    return [timestamp_field, *([created] if created else [])]


def _pull(
    config: RepoConfig,
    source: DataSource,
    columns: Sequence[str],
    interval: tuple[str, datetime | None, datetime | None],
    newest_of: Sequence[str] | None = None,
    times: Sequence[str] = (),
) -> FieldhouseRetrievalJob:
    def run() -> pa.Table:
        opened = open_sources(config, [source])
        return opened.engine.rows_between(
            opened.of(source), columns, *interval, newest_of=newest_of, newest_by=times
        )

    return FieldhouseRetrievalJob(run, config)
