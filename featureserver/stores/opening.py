"""Which store a URL names: one Redis, or a cluster. Clusters' modules load when one is named."""

from urllib.parse import urlsplit

from featureserver.ports import AsyncReader
from featureserver.stores.redis import RedisOnlineStore, address_of, connect


def open_store(url: str, timeout_seconds: float, poll_seconds: float = 0.0) -> RedisOnlineStore:
    """The online store at a redis://, rediss://, unix:// or redis+cluster:// URL.

    Where `poll_seconds` is not 0, answers to small reads are polled for that long.
    """
    if _is_cluster(url):
        from featureserver.stores.redis_cluster import ClusterOnlineStore

        return ClusterOnlineStore(url, timeout_seconds)
    quick = None
    if poll_seconds:
        from featureserver.stores.redis_polled import PollingPool, can_poll

        quick = PollingPool(url, timeout_seconds, poll_seconds) if can_poll(url) else None
    return RedisOnlineStore(connect(url, timeout_seconds), address_of(url), quick)


def open_reader(url: str, timeout_seconds: float, poll_seconds: float = 0.0) -> AsyncReader:
    """The reading half for an event loop; `poll_seconds` as for `open_store`."""
    if _is_cluster(url):
        from featureserver.stores.redis_cluster import ClusterReader

        return ClusterReader(url, timeout_seconds)
    from featureserver.stores.redis_wire import RedisReader

    return polled(RedisReader(url, timeout_seconds), url, timeout_seconds, poll_seconds)


def polled(
    ordinary: AsyncReader, url: str, timeout_seconds: float, poll_seconds: float
) -> AsyncReader:
    """A reader that polls for small answers and leaves all else to `ordinary`, which it closes;
    `ordinary` itself where nothing can be polled, or `poll_seconds` is 0."""
    if poll_seconds and not _is_cluster(url):
        from featureserver.stores.redis_polled import PollingReader, can_poll

        if can_poll(url):
            return PollingReader(ordinary, url, timeout_seconds, poll_seconds)
    return ordinary


def _is_cluster(url: str) -> bool:
    return urlsplit(url).scheme.endswith("+cluster")
