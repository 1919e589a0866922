"""The routes that write, through FastAPI, and the OpenAPI document of all routes."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from featureserver import schemas
from featureserver.http_errors import describe
from featureserver.instants import read_instant
from featureserver.jobs import MaterializationJobs
from featureserver.materialize import Materializer
from featureserver.openapi import MATERIALIZE_ANSWERS, PLAIN_ROUTES, WRITE_ERRORS
from featureserver.push import Pusher
from registry.kernel.errors import FieldhouseError, Invalid, NotFound
from registry.ports import Authority

OPERATOR = "operator"

Token = Annotated[str | None, Header(include_in_schema=False)]


def create_api(
    pusher: Callable[[], Pusher], materializer: Callable[[], Materializer], authority: Authority
) -> FastAPI:
    """FastAPI's part of the application."""
    api = FastAPI(title="Fieldhouse features", version="1", responses=WRITE_ERRORS)
    jobs = MaterializationJobs(materializer)

    def operator(authorization: str | None) -> str:
        return authority(bearer(authorization), OPERATOR).subject

    @api.post("/push", summary="Write rows of a push source")
    def push(body: schemas.Push, authorization: Token = None) -> Response:
        operator(authorization)
        pusher().push(body.push_source_name, body.df, to=body.to)
        return Response(status_code=200)

    @api.post("/write-to-online-store", summary="Write rows of a view")
    def write(body: schemas.WriteToOnlineStore, authorization: Token = None) -> None:
        operator(authorization)
        pusher().write(body.feature_view_name, body.df)

    @api.post(
        "/materialize",
        summary="Materialize a span of time",
        response_model=None,
        responses=MATERIALIZE_ANSWERS,
    )
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
        "/materialize-incremental",
        summary="Materialize from the last end",
        response_model=None,
        responses=MATERIALIZE_ANSWERS,
    )
    def materialize_incremental(
        body: schemas.MaterializeIncremental,
        later: BackgroundTasks,
        in_background: Annotated[bool, Query(alias="async")] = False,
        authorization: Token = None,
    ) -> Response:
        actor, until = operator(authorization), read_instant(body.end_ts)
        return jobs.start(body.feature_views, None, until, actor, later if in_background else None)

    api.add_exception_handler(FieldhouseError, _refuse)
    api.add_exception_handler(RequestValidationError, _refuse_body)
    api.add_exception_handler(HTTPException, _refuse_route)
    api.add_exception_handler(Exception, _refuse)
    _describe_plain_routes(api)
    return api


async def _refuse(_: Request, error: Exception) -> Response:
    status, body, headers = describe(error)
    told = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status_code=status, headers=told)


async def _refuse_body(request: Request, error: Exception) -> Response:
    """One message that names what is wrong, in Feast's format."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(
        f"{'.'.join(str(part) for part in one['loc'][1:]) or 'body'}: {one['msg']}" for one in found
    )
    return await _refuse(
        request, Invalid(f"the body of {request.url.path} is not what it takes", said[:1000])
    )


async def _refuse_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 404:
        known = [getattr(route, "path", "") for route in request.app.routes]
        return await _refuse(request, NotFound("route", request.url.path, [*known, *PLAIN_ROUTES]))
    response = await _refuse(request, Invalid(f"{request.url.path} does not take {request.method}"))
    response.status_code = status
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})  # Allow, where another method would do
    return response


def _describe_plain_routes(api: FastAPI) -> None:
    written = api.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        for path, described in PLAIN_ROUTES.items():
            document["paths"].setdefault(path, described)
        return document

    api.openapi = openapi  # type: ignore[method-assign]


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header, None when there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
