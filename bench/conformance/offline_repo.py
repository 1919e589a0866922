"""Feast's test configuration for our offline store: what `FULL_REPO_CONFIGS_MODULE` names.

Imported by Feast's suite, from a checkout given by path; nothing of that suite is kept here.
FIELDHOUSE_CONFORMANCE_CREATED says what created times do: `known` (ours) or `tie_break` (Feast's).
"""

import os
from typing import Literal, cast

from tests.universal.feature_repos.universal.data_sources.file import (  # type: ignore[import-not-found]
    FileDataSourceCreator,
)

from fieldhouse.feast_offline import FieldhouseOfflineStoreConfig


class FieldhouseDataSourceCreator(FileDataSourceCreator):  # type: ignore[misc]
    """Parquet files, as Feast's own file store has them, under our store."""

    def create_offline_store_config(self) -> FieldhouseOfflineStoreConfig:
        created = os.environ.get("FIELDHOUSE_CONFORMANCE_CREATED", "known")
        return FieldhouseOfflineStoreConfig(
            created_times=cast(Literal["known", "tie_break"], created)
        )


AVAILABLE_OFFLINE_STORES = [("local", FieldhouseDataSourceCreator)]
AVAILABLE_ONLINE_STORES = {"sqlite": ({"type": "sqlite"}, None)}
