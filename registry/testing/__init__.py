"""An in-memory registry and builders with good defaults, for the tests of every room."""

from registry.testing.books import InMemoryDatasets, InMemoryModels, InMemoryWatermarks
from registry.testing.builders import NOON, feature, published, view
from registry.testing.registry import InMemoryRegistry
from registry.testing.store import InMemoryStore

__all__ = [
    "NOON",
    "InMemoryDatasets",
    "InMemoryModels",
    "InMemoryRegistry",
    "InMemoryStore",
    "InMemoryWatermarks",
    "feature",
    "published",
    "view",
]
