"""The name that a feature_store.yaml gives: `type: fieldhouse.feast_online.FieldhouseOnlineStore`.

Feast looks for the store and its configuration here; they live in `featureserver.feast_plugin`.
"""

from featureserver.feast_plugin.store import FieldhouseOnlineStore, FieldhouseOnlineStoreConfig

__all__ = ["FieldhouseOnlineStore", "FieldhouseOnlineStoreConfig"]
