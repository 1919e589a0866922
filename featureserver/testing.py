"""Builders for the tests of every room that looks features up: a Redis, a lookup, rows in it."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from featureserver.keys import key_space
from featureserver.lookup import Lookup
from featureserver.plans import compile_transform
from featureserver.ports import OnlineStore
from featureserver.redis_server import embedded_redis
from featureserver.rows import pack
from featureserver.state import PlanBook
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.stores.redis import RedisOnlineStore, connect
from registry.core.published import Published, PublishedView
from registry.kernel.clock import FixedClock
from registry.testing import NOON


@contextmanager
def temporary_redis() -> Iterator[str]:
    """The URL of a real redis-server of one's own, in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fh-"))
    try:
        with embedded_redis(folder, keep=False) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_redis_store() -> Iterator[RedisOnlineStore]:
    """An online store over a real redis-server of one's own."""
    with temporary_redis() as url:
        store = RedisOnlineStore(connect(url, 5.0), url)
        try:
            yield store
        finally:
            store.close()


def lookup_over(state: Published, store: OnlineStore | None = None, at: datetime = NOON) -> Lookup:
    """A lookup of a fixed published state at a fixed instant, over a store in memory by default."""
    plans = PlanBook(lambda: state, compile_transform)
    return Lookup(plans, store or InMemoryOnlineStore(), FixedClock(at))


def put(
    store: OnlineStore,
    view: PublishedView,
    entity: Mapping[str, Any],
    values: Mapping[str, Any],
    event: datetime = NOON,
    created: datetime | None = None,
) -> None:
    """Write one row of a view for one entity."""
    (key,) = key_space(view).keys({name: [value] for name, value in entity.items()})
    assert key is not None
    store.write([key], [pack(view.row_schema, values, event, created)])
