"""Joins the feature server: settings in, lookup, materializer or application out."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

import redis

from featureserver import settings as names
from featureserver.asked import (
    KeepSketches,
    Ledger,
    OnFailedQuality,
    Policy,
    Quarantine,
    StoreResults,
)
from featureserver.lookup import Lookup
from featureserver.materialize import Materializer
from featureserver.plans import plan_book
from featureserver.ports import OnlineStore
from featureserver.redis_server import running_redis
from featureserver.stores.opening import open_reader, open_store
from featureserver.stores.redis import RedisOnlineStore
from featureserver.usage import UsageFlush
from registry.core.lifecycle import CheckKind
from registry.core.published import Published, PublishedView
from registry.kernel.clock import Clock
from registry.kernel.errors import Misuse
from registry.kernel.settings import Settings
from registry.ports import Principal, Registry
from registry.settings import COMPARE_VALUES, HOME, clock_of

if TYPE_CHECKING:
    from featureserver.push import Pusher

Client = redis.Redis | OnlineStore


def open_lookup(
    settings: Settings, registry: Registry | None = None, client: Client | None = None
) -> Lookup:
    """A lookup in process. `client` is a Redis client (bytes) or a store; None means the settings'.

    Where no Redis is configured an embedded one runs until the lookup is closed. What was used is
    added to the registry's counts every `features.usage_seconds` and at the close. Without `client`
    it works on an event loop too.
    """
    resources = ExitStack()
    opened, clock = registry or _registry(settings), clock_of(settings)
    plans = plan_book(settings, opened.published)
    if client is not None:
        lookup = Lookup(plans, _store(client), clock, resources=resources)
    else:
        url = resources.enter_context(running_redis(settings))
        timeout = float(settings.get(names.TIMEOUT_SECONDS))
        poll = float(settings.get(names.POLL_MICROS)) / 1e6
        store = open_store(url, timeout, poll)
        resources.callback(store.close)
        lookup = Lookup(plans, store, clock, open_reader(url, timeout, poll), resources)
    flush = UsageFlush(lookup.usage, opened.usage)
    seconds = float(settings.get(names.USAGE_SECONDS))
    resources.enter_context(flush.every(seconds, clock))
    return lookup


def open_materializer(
    settings: Settings,
    registry: Registry | None = None,
    engine: Any = None,
    client: Client | None = None,
) -> Materializer:
    """A materializer from the settings' warehouse to `client`, or to the configured Redis.

    Without `client` an embedded Redis must already run (`redis_server.running_redis`).
    """
    opened = registry or _registry(settings)
    return Materializer(
        Ledger(
            opened.published,
            opened.watermarks,
            opened.switch_generation,
            _quarantine(opened),
            store_results_in(opened),
            keep_sketches_in(opened, clock_of(settings)) if settings.get(COMPARE_VALUES) else None,
        ),
        engine or _engine(settings),
        _store(client) if client is not None else _running_store(settings),
        clock_of(settings),
        _policy(settings),
        settings.path(HOME),
    )


@contextmanager
def open_pusher(settings: Settings, registry: Registry, engine: Any = None) -> Iterator["Pusher"]:
    """What writes pushed rows, with an embedded Redis where none is configured."""
    from featureserver.redis_server import online_store

    with online_store(settings) as store:
        yield make_pusher(settings, registry, store, engine)


def make_pusher(
    settings: Settings, registry: Registry, store: OnlineStore, engine: Any = None
) -> "Pusher":
    """What writes pushed rows to `store`; opens the warehouse when rows are first pushed there."""
    from featureserver.push import Pusher

    return Pusher(
        registry.published,
        store,
        float(settings.get(names.RETENTION_SECONDS)),
        lambda: engine or _engine(settings),
        clock_of(settings),
    )


def _policy(settings: Settings) -> Policy:
    on_failed = str(settings.get(names.ON_FAILED_QUALITY))
    if on_failed not in ("block", "quarantine", "warn"):
        raise Misuse(f"online.on_failed_quality is {on_failed!r}", hint="block, quarantine or warn")
    return Policy(
        retention_seconds=float(settings.get(names.RETENTION_SECONDS)),
        late_arrival_seconds=float(settings.get(names.LATE_ARRIVAL_SECONDS)),
        on_failed_quality=cast(OnFailedQuality, on_failed),
        parallel=int(settings.get(names.PARALLEL_VIEWS)),
        grace_seconds=float(settings.get(names.SWITCH_GRACE_SECONDS)),
        parity_keys=int(settings.get(names.PARITY_KEYS)),
    )


def _quarantine(registry: Registry) -> Quarantine | None:
    """The registry's own quarantine, by a bot that acts for the materialization's actor."""
    context = getattr(registry, "context", None)
    if context is None:
        return None

    def quarantine(ref: str, reason: str, actor: str) -> object:
        from registry.service.runtime import quarantine as move

        monitor = Principal(actor or "materializer", frozenset({"operator"}), bot=True)
        return move(context, registry.published().namespace, ref, monitor, reason)

    return quarantine


def store_results_in(registry: Registry) -> StoreResults | None:
    """Where results of checks are kept as evidence: the registry's audit chain."""
    context = getattr(registry, "context", None)
    if context is None:
        return None

    def store(view: PublishedView, kind: CheckKind, failures: Sequence[str], actor: str) -> object:
        from registry.service.evidence import results_for_view, store_results

        results = results_for_view(view, kind, failures)
        return store_results(context, view.namespace, results, actor or "materializer")

    return store


def keep_sketches_in(registry: Registry, clock: Clock) -> KeepSketches | None:
    """Where sketches of values are kept: the registry, and its index of what may be alike."""
    context = getattr(registry, "context", None)
    if context is None:
        return None

    def keep(engine: Any, view: PublishedView) -> None:
        from warehouse.computed_sketches import ComputedSketcher
        from warehouse.value_sketches import ValueSketcher

        made = list(ValueSketcher(engine, clock)(view, [feature.name for feature in view.features]))
        with context.store.read() as transaction:
            published = transaction.published(view.namespace)
        if published is not None and (above := computed_from(published, view)):
            made += ComputedSketcher(engine, clock)(published, above)[0]
        with context.store.write() as transaction:
            transaction.save_sketches(view.namespace, made, clock())

    return keep


def computed_from(published: Published, view: PublishedView) -> dict[str, list[str]]:
    """The features of the on-demand views that take from a stored one, by the views' keys."""
    return {
        key: [feature.name for feature in above.features]
        for key, above in published.on_demand.items()
        if any(published.resolve(ref).view == view.key for ref in above.inputs)
    }


def _store(client: Client) -> OnlineStore:
    return RedisOnlineStore(client) if isinstance(client, redis.Redis) else client


def _running_store(settings: Settings) -> OnlineStore:
    from featureserver.redis_server import known_url

    url = known_url(settings)
    return open_store(url, float(settings.get(names.TIMEOUT_SECONDS)))


def _registry(settings: Settings) -> Registry:
    from registry.bootstrap import open_registry

    return open_registry(settings)


def _engine(settings: Settings) -> Any:
    from warehouse.bootstrap import open_engine

    return open_engine(settings)
