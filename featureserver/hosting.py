"""Joins a server's parts so that it starts soon: Arrow, rules and FastAPI wait until needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from featureserver import settings as names
from featureserver.access_log import AccessLog
from featureserver.app import FeatureApp, Parts, create_app
from featureserver.endpoints import Limits
from featureserver.lookup import Lookup
from featureserver.plans import plan_book
from featureserver.redis_server import running_redis
from featureserver.stores.opening import open_reader, open_store, polled
from featureserver.stores.redis import RedisOnlineStore
from featureserver.tally import TallyFiles
from registry.kernel.settings import Settings
from registry.ports import Authority, PublishedReader, Registry, UsageBook
from registry.settings import clock_of

if TYPE_CHECKING:
    from featureserver.materialize import Materializer
    from featureserver.push import Pusher


class ServedRegistry(Protocol):
    """What a server uses of the registry."""

    @property
    def published(self) -> PublishedReader: ...

    @property
    def authority(self) -> Authority: ...

    @property
    def usage(self) -> UsageBook: ...


@contextmanager
def host_app(
    settings: Settings,
    registry: Registry | None = None,
    engine: Any = None,
    metrics: Path | None = None,
    slot: int = 0,
) -> Iterator[FeatureApp]:
    """The feature server's ASGI application, with an embedded Redis where none is configured.

    Workers of one server share the folder `metrics` and have a `slot` each.
    """
    served: ServedRegistry = registry if registry is not None else _data_plane(settings)
    timeout = float(settings.get(names.TIMEOUT_SECONDS))
    with running_redis(settings) as url:
        store, reader = open_store(url, timeout), open_reader(url, timeout)
        near = polled(reader, url, timeout, float(settings.get(names.POLL_MICROS)) / 1e6)
        writing = _Writing(settings, registry, engine, store)
        parts = Parts(
            lookup=Lookup(plan_book(settings, served.published), store, clock_of(settings), reader),
            reader=reader,
            pusher=cache(writing.pusher),
            materializer=cache(writing.materializer),
            authority=served.authority,
            limits=_limits(settings),
            queue_seconds=float(settings.get(names.QUEUE_SECONDS)),
            usage=served.usage,
            usage_seconds=float(settings.get(names.USAGE_SECONDS)),
            tallies=TallyFiles(metrics, slot),
            log=_access_log(settings),
            near=near,
            drain_seconds=float(settings.get(names.DRAIN_SECONDS)),
        )
        try:
            yield create_app(parts)
        finally:
            store.close()


class _Writing:
    """Opens the whole registry and the warehouse when somebody writes."""

    def __init__(
        self, settings: Settings, registry: Registry | None, engine: Any, store: RedisOnlineStore
    ) -> None:
        self._settings, self._engine, self._store = settings, engine, store
        self._registry = registry

    def _opened(self) -> Registry:
        if self._registry is None:
            from registry.bootstrap import open_registry

            self._registry = open_registry(self._settings)
        return self._registry

    def pusher(self) -> "Pusher":
        from featureserver.bootstrap import make_pusher

        return make_pusher(self._settings, self._opened(), self._store, self._engine)

    def materializer(self) -> "Materializer":
        from featureserver.bootstrap import open_materializer

        return open_materializer(self._settings, self._opened(), self._engine, self._store)


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes=int(settings.get(names.MAX_BODY_BYTES)),
        rows=int(settings.get(names.MAX_ROWS)),
        feast_answers=bool(settings.get(names.FEAST_ANSWERS)),
    )


def _access_log(settings: Settings) -> AccessLog | None:
    target = str(settings.get(names.ACCESS_LOG))
    if target in ("", "-"):
        return AccessLog(target) if target else None
    return AccessLog(settings.path(names.ACCESS_LOG))


def _data_plane(settings: Settings) -> ServedRegistry:
    from registry.data_plane import open_data_plane

    return open_data_plane(settings)
