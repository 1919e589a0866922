"""The data plane as one raw ASGI application: bodies, deadlines, errors. No framework here."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import monotonic
from typing import Any

from registry.kernel.errors import FieldhouseError, Invalid, Unavailable
from serving.admission import Admission
from serving.bodies import inflate, too_large
from serving.control import Acting, Control, act
from serving.http_errors import status_of
from serving.messages import Asked, Header, Request, Response, error_response
from serving.predict import Late, Predictor
from serving.routes import ROUTES, Asking, Route, RouteTable

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
DEADLINE = "fieldhouse-deadline-ms"
REQUEST_ID = "x-request-id"
_DRAIN_FACTOR = 64
_LONGEST_ID = 128


class DataPlane:
    """The ASGI application. Few rows of a model in process are predicted on the loop itself: that
    takes less time than a thread's hop. Whatever waits for another process waits beside it."""

    def __init__(
        self,
        predictor: Predictor,
        max_body_bytes: int,
        control: Control | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._predictor = predictor
        self._limit = max_body_bytes
        self._control = control
        self._admission = admission or Admission()
        self._routes = RouteTable(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        arrived = self._admission.arrive()
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        request_id = request_id_of(headers)
        response = await self._respond(scope, receive, headers, request_id, arrived)
        if response is None:
            return None
        told: list[Header] = [
            *response.headers,
            (b"content-length", str(len(response.body)).encode()),
            (REQUEST_ID.encode(), request_id.encode("latin-1")),
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": told})
        await send({"type": "http.response.body", "body": response.body})
        return None

    async def _respond(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[str, str],
        request_id: str,
        arrived: float,
    ) -> Response | None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        route, captures, allowed = self._routes.match(method, path)
        try:
            body = await _read_body(receive, headers, self._limit)
            if body is None:
                return None
            if route is None:
                return _no_route(scope, allowed)
            plain = inflate(body, headers.get("content-encoding", "").strip().lower(), self._limit)
            request = Request(captures, headers, plain)
            return await self._answer(route, request, arrived)
        except FieldhouseError as error:
            return self._refuse(error)
        except Exception:
            logger.exception(
                "a request failed",
                extra={"action": "http:error", "path": scope["path"], "request_id": request_id},
            )
            self._predictor.metrics.refused("Internal")
            return error_response(500, "the server failed on this request; its log says why")

    async def _answer(self, route: Route, request: Request, arrived: float) -> Response:
        if isinstance(route, Asking):
            self._admission.enter(arrived)
            try:
                asked = route.read(self._predictor, request)
                return await self._predict(asked, request, arrived)
            finally:
                self._admission.leave()
        if isinstance(route, Acting):
            return await asyncio.to_thread(act, route, self._control, request)
        return route(self._predictor, request)

    async def _predict(self, asked: Asked, request: Request, arrived: float) -> Response:
        model = asked.model
        try:
            deadline = deadline_of(request.headers, asked.timeout_seconds, arrived)
            if deadline is not None and monotonic() >= deadline:
                raise Late(f"the deadline passed before model {model.name} was asked")
            answer = await self._predictor.answer_async(
                model, asked.tensors, asked.prediction_id, deadline
            )
        except FieldhouseError:
            self._predictor.metrics.failed(model.name, model.version)
            raise
        return asked.render(answer)

    def _refuse(self, error: FieldhouseError) -> Response:
        self._predictor.metrics.refused(error.kind)
        if isinstance(error, Unavailable):
            seconds = str(max(1, round(error.retry_after_seconds))).encode()
            return error_response(status_of(error), str(error), (b"retry-after", seconds))
        return error_response(status_of(error), str(error))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._predictor.close_async()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def request_id_of(headers: dict[str, str]) -> str:
    """The id that the client gave this request, when it can be one; else a new one."""
    given = headers.get(REQUEST_ID, "")
    if given and len(given) <= _LONGEST_ID and given.isascii() and given.isprintable():
        return given
    return os.urandom(16).hex()


def deadline_of(
    headers: Mapping[str, str], timeout_seconds: float | None, arrived: float
) -> float | None:
    """When the answer is due, on the `monotonic` clock; None for whenever. Raises `Invalid`."""
    text = headers.get(DEADLINE)
    if text is None:
        return None if timeout_seconds is None else arrived + timeout_seconds
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < 1e9:
        raise Invalid(f"{DEADLINE} is {text!r}", "it must be a number of milliseconds above 0")
    within = milliseconds / 1000
    return arrived + (within if timeout_seconds is None else min(within, timeout_seconds))


def _no_route(scope: Scope, allowed: list[str]) -> Response:
    if allowed:
        methods = ", ".join(sorted(set(allowed)))
        text = f"{scope['path']} takes {methods}, not {scope['method']}"
        return error_response(405, text, (b"allow", methods.encode()))
    return error_response(404, f"there is nothing at {scope['path']}")


async def _read_body(receive: Receive, headers: dict[str, str], limit: int) -> bytes | None:
    """The body, None when the client left. One too large is read to its end, within reason, and
    thrown away, so that the client gets its answer instead of a broken connection."""
    promised = headers.get("content-length", "")
    if promised.isdigit() and int(promised) > limit * _DRAIN_FACTOR:
        raise too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > limit * _DRAIN_FACTOR:
            raise too_large(limit)
        if not message.get("more_body", False):
            break
    if size > limit:
        raise too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def create_app(
    predictor: Predictor,
    max_body_bytes: int = 16 << 20,
    control: Control | None = None,
    admission: Admission | None = None,
) -> DataPlane:
    """The ASGI app over a predictor; mountable in another app. Closes the predictor at shutdown.

    Without `control` the routes that change something are refused.
    """
    return DataPlane(predictor, max_body_bytes, control, admission)
