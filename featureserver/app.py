"""The ASGI application: the hot route as plain ASGI, everything else through FastAPI."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, Header, Query, Request, Response

from featureserver import schemas
from featureserver.endpoints import OnlineFeatures, Receive, Scope, Send
from featureserver.http_errors import describe
from featureserver.instants import read_instant
from featureserver.jobs import MaterializationJobs
from featureserver.lookup import Lookup
from featureserver.materialize import Materializer
from featureserver.metrics import Metrics
from featureserver.openapi import GET_ONLINE_FEATURES
from featureserver.ports import AsyncReader
from featureserver.push import Pusher
from registry.kernel.errors import FieldhouseError
from registry.ports import Authority

logger = logging.getLogger(__name__)
HOT_PATH = "/get-online-features"
OPERATOR = "operator"

Token = Annotated[str | None, Header(include_in_schema=False)]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of. `materializer` opens the warehouse when first needed."""

    lookup: Lookup
    reader: AsyncReader
    pusher: Pusher
    materializer: Callable[[], Materializer]
    authority: Authority
    max_body_bytes: int = 16 * 1024 * 1024


class FeatureApp:
    """Routes the hot path past the framework. `api` is the FastAPI application of the rest."""

    def __init__(self, hot: OnlineFeatures, api: FastAPI) -> None:
        self._hot = hot
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == HOT_PATH:
            await self._hot(scope, receive, send)
        else:
            await self.api(scope, receive, send)


def create_app(parts: Parts) -> FeatureApp:
    """The feature server's ASGI application; Feast's routes, and health, metrics and OpenAPI."""
    metrics = Metrics()
    api = FastAPI(title="Fieldhouse features", version="1", lifespan=_lifespan(parts))
    _add_writes(api, parts)
    _add_health(api, parts, metrics)
    api.add_exception_handler(FieldhouseError, _refuse)
    api.add_exception_handler(Exception, _refuse)
    _describe_hot_route(api)
    hot = OnlineFeatures(parts.lookup, parts.reader, metrics, parts.max_body_bytes)
    return FeatureApp(hot, api)


def _lifespan(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        plans = parts.lookup.plans
        with suppress(FieldhouseError):
            await asyncio.to_thread(plans.refresh)
        plans.polled = True
        polling = asyncio.create_task(_poll(parts.lookup))
        try:
            yield
        finally:
            polling.cancel()
            plans.polled = False
            await parts.reader.close()

    return lifespan


async def _poll(lookup: Lookup) -> None:
    """Ask the registry for its published state now and then, away from the loop."""
    while True:
        await asyncio.sleep(lookup.plans.refresh_seconds)
        try:
            await asyncio.to_thread(lookup.plans.refresh)
        except Exception as error:  # whatever the registry's trouble is, the last state serves on
            logger.warning(f"cannot refresh: {error}", extra={"action": "published:failed"})


def _add_writes(api: FastAPI, parts: Parts) -> None:
    jobs = MaterializationJobs(parts.materializer)

    def operator(authorization: str | None) -> str:
        return parts.authority(bearer(authorization), OPERATOR).subject

    @api.post("/push", summary="Write rows of a push source")
    def push(body: schemas.Push, authorization: Token = None) -> Response:
        operator(authorization)
        parts.pusher.push(body.push_source_name, body.df, to=body.to)
        return Response(status_code=200)

    @api.post("/write-to-online-store", summary="Write rows of a view")
    def write(body: schemas.WriteToOnlineStore, authorization: Token = None) -> None:
        operator(authorization)
        parts.pusher.write(body.feature_view_name, body.df)

    @api.post("/materialize", summary="Materialize a span of time", response_model=None)
    def materialize(
        body: schemas.Materialize,
        later: BackgroundTasks,
        in_background: Annotated[bool, Query(alias="async")] = False,
        authorization: Token = None,
    ) -> Response:
        actor = operator(authorization)
        since = read_instant(body.start_ts) if body.start_ts else None
        until = read_instant(body.end_ts) if body.end_ts else None
        return jobs.start(body.feature_views, since, until, actor, later if in_background else None)

    @api.post(
        "/materialize-incremental", summary="Materialize from the last end", response_model=None
    )
    def materialize_incremental(
        body: schemas.MaterializeIncremental,
        later: BackgroundTasks,
        in_background: Annotated[bool, Query(alias="async")] = False,
        authorization: Token = None,
    ) -> Response:
        actor, until = operator(authorization), read_instant(body.end_ts)
        return jobs.start(body.feature_views, None, until, actor, later if in_background else None)


def _add_health(api: FastAPI, parts: Parts, metrics: Metrics) -> None:
    def state() -> schemas.Health:
        plans = parts.lookup.plans
        try:
            number = plans.state().number
            parts.lookup.store.ping()
        except FieldhouseError as error:
            return schemas.Health(
                ready=False, published=None, published_age_seconds=None, reason=str(error)
            )
        return schemas.Health(ready=True, published=number, published_age_seconds=plans.age_seconds)

    @api.get("/health", summary="200 when lookups can be answered, else 503; no body")
    def health() -> Response:
        return Response(status_code=200 if state().ready else 503)

    @api.get("/health/live", summary="200 while the process runs")
    async def live() -> Response:
        return Response(status_code=200)

    @api.get("/health/ready", summary="Whether lookups can be answered, and why not")
    def ready(response: Response) -> schemas.Health:
        found = state()
        response.status_code = 200 if found.ready else 503
        return found

    @api.get("/metrics", summary="Prometheus metrics")
    def show_metrics() -> Response:
        found = state()
        if found.published is not None:
            metrics.published.set(found.published)
            metrics.state_age.set(found.published_age_seconds or 0.0)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _refuse(_: Request, error: Exception) -> Response:
    status, body, headers = describe(error)
    told = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status_code=status, headers=told)


def _describe_hot_route(api: FastAPI) -> None:
    written = api.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        document["paths"].setdefault(HOT_PATH, GET_ONLINE_FEATURES)
        return document

    api.openapi = openapi  # type: ignore[method-assign]


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header, None when there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
