"""The feature server as one service of whole requests: lookups, health, metrics, what writes.

What writes goes through FastAPI, which is loaded when the first of its routes is asked for, away
from the loop. Our own server hands it whole requests; in somebody's application it speaks ASGI.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featureserver.access_log import AccessLog
from featureserver.admission import Admission, ByWork
from featureserver.asgi import Asked, Receive, Scope, Send, answer_asgi
from featureserver.endpoints import Limits, OnlineFeatures, Readers
from featureserver.health import PATHS, Health
from featureserver.http_errors import describe, too_large
from featureserver.lookup import Lookup
from featureserver.ports import AsyncReader
from featureserver.service import Reply, WholeRequest
from featureserver.tally import TallyFiles
from featureserver.usage import UsageFlush
from registry.kernel.errors import FieldhouseError
from registry.ports import Authority, UsageBook

if TYPE_CHECKING:
    from fastapi import FastAPI

    from featureserver.materialize import Materializer
    from featureserver.push import Pusher

logger = logging.getLogger(__name__)
HOT_PATH = "/get-online-features"
_TALLY_SECONDS = 1.0
_LOG_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of. `near` reads for a lookup that is alone, by default as for
    any other; `pusher` and `materializer` open the warehouse when first needed; `usage` None counts
    no use, `log` None writes no access log; what goes on behind answers may take `drain_seconds`
    at the end."""

    lookup: Lookup
    reader: AsyncReader
    pusher: "Callable[[], Pusher]"
    materializer: "Callable[[], Materializer]"
    authority: Authority
    limits: Limits = field(default_factory=Limits)
    queue_seconds: float = 0.25
    usage: UsageBook | None = None
    usage_seconds: float = 10.0
    tallies: TallyFiles = field(default_factory=TallyFiles)
    log: AccessLog | None = None
    near: AsyncReader | None = None
    drain_seconds: float = 5.0


class FeatureApp:
    """Routes requests, and runs what goes on beside them for as long as the server runs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.max_body_bytes = parts.limits.body_bytes
        admission = Admission(ByWork(parts.queue_seconds))
        readers = Readers(parts.reader, parts.near or parts.reader)
        self._hot = OnlineFeatures(
            parts.lookup, readers, parts.tallies.own, admission, parts.limits, parts.log
        )
        self._health = Health(parts.lookup, parts.reader, admission, parts.tallies)
        self._flush = None if parts.usage is None else UsageFlush(parts.lookup.usage, parts.usage)
        self._api: FastAPI | None = None
        self._loading = asyncio.Lock()
        self._asked = Asked()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer_asgi(self, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    def respond(self, request: WholeRequest) -> Coroutine[Any, Any, Reply]:
        """Answer one request, see `service.Service`. Never raises."""
        if request.path == HOT_PATH:
            return self._hot.respond(request)
        return self._health.respond(request) if request.path in PATHS else self._other(request)

    async def _other(self, request: WholeRequest) -> Reply:
        try:
            if request.body is None:
                raise too_large(self.max_body_bytes)
            return await self._asked.ask(await self.api(), request)
        except Exception as error:
            status, body, headers = describe(error)
            if not isinstance(error, FieldhouseError):
                logger.exception("a route failed", extra={"action": "http:error"})
            return Reply(status, body, tuple(headers))

    async def api(self) -> "FastAPI":
        """The FastAPI application of the routes that are not hot."""
        async with self._loading:
            if self._api is None:
                self._api = await asyncio.to_thread(self._load)
            return self._api

    def _load(self) -> "FastAPI":
        from featureserver.write_routes import create_api

        parts = self._parts
        return create_api(parts.pusher, parts.materializer, parts.authority)

    async def _live(self, receive: Receive, send: Send) -> None:
        """ASGI's lifespan: begin, say so, and clear up when told to end."""
        await receive()
        plans = self._parts.lookup.plans
        with suppress(FieldhouseError):
            await asyncio.to_thread(plans.refresh)
        plans.polled = True
        beside = [
            asyncio.create_task(_every(seconds, action, name))
            for seconds, action, name in self._beside()
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._asked.finish(self._parts.drain_seconds)
        for task in beside:
            task.cancel()
        plans.polled = False
        await asyncio.to_thread(self._last_words)
        await (self._parts.near or self._parts.reader).close()
        await send({"type": "lifespan.shutdown.complete"})

    def _beside(self) -> list[tuple[float, Callable[[], None], str]]:
        plans = self._parts.lookup.plans
        actions = [
            (plans.refresh_seconds, plans.refresh, "published"),
            (_TALLY_SECONDS, self._parts.tallies.publish, "metrics"),
        ]
        if self._flush is not None:
            actions.append((self._parts.usage_seconds, self._count_use, "usage"))
        if self._parts.log is not None:
            actions.append((_LOG_SECONDS, self._parts.log.flush, "access log"))
        return actions

    def _count_use(self) -> None:
        if self._flush is not None:
            self._flush.run(self._parts.lookup.clock())

    def _last_words(self) -> None:
        self._count_use()
        self._parts.tallies.publish()
        if self._parts.log is not None:
            with suppress(OSError):
                self._parts.log.flush()


def create_app(parts: Parts) -> FeatureApp:
    """The feature server's ASGI application; Feast's routes, and health, metrics and OpenAPI."""
    return FeatureApp(parts)


async def _every(seconds: float, action: Callable[[], Any], name: str) -> None:
    """Do something now and then, away from the loop; a failure is logged and not the last time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(action)
        except Exception as error:
            logger.warning(f"cannot refresh {name}: {error}", extra={"action": f"{name}:failed"})
