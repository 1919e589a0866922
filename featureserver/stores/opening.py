"""Which store a URL names: one Redis, or a cluster. Clusters' modules load when one is named."""

from urllib.parse import urlsplit

from featureserver.ports import AsyncReader
from featureserver.stores.redis import RedisOnlineStore, address_of, connect


def open_store(url: str, timeout_seconds: float) -> RedisOnlineStore:
    """The online store at a redis://, rediss://, unix:// or redis+cluster:// URL."""
    if _is_cluster(url):
        from featureserver.stores.redis_cluster import ClusterOnlineStore

        return ClusterOnlineStore(url, timeout_seconds)
    return RedisOnlineStore(connect(url, timeout_seconds), address_of(url))


def open_reader(url: str, timeout_seconds: float) -> AsyncReader:
    """The reading half for an event loop."""
    if _is_cluster(url):
        from featureserver.stores.redis_cluster import ClusterReader

        return ClusterReader(url, timeout_seconds)
    from featureserver.stores.redis_wire import RedisReader

    return RedisReader(url, timeout_seconds)


def _is_cluster(url: str) -> bool:
    return urlsplit(url).scheme.endswith("+cluster")
