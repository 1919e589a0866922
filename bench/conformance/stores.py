"""What Feast's universal tests are told to test: our online store over a file offline store.

Feast's tests import this by the name in FULL_REPO_CONFIGS_MODULE. It stands under two names of
Feast's own stores, so that the tests that are for these alone run against ours too.
"""

import os

from tests.universal.feature_repos.universal.data_sources.file import (  # type: ignore[import-not-found]
    FileDataSourceCreator,
)

AVAILABLE_OFFLINE_STORES = [("local", FileDataSourceCreator)]
OURS = {
    "type": "fieldhouse.feast_online.FieldhouseOnlineStore",
    "url": os.environ["FIELDHOUSE_CONFORMANCE_REDIS"],
}
AVAILABLE_ONLINE_STORES = {"redis": (OURS, None), "sqlite": (OURS, None)}
