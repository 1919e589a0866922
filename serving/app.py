"""The data plane as one raw ASGI application: bodies, deadlines, errors. No framework here.

Our own server hands it whole requests (`respond`); in somebody's application it speaks ASGI.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping
from time import monotonic
from typing import Any

from featureserver.admission import Admission, ByWait
from featureserver.asgi import Receive, Scope, Send, answer_asgi
from featureserver.service import WholeRequest
from registry.kernel.errors import FieldhouseError, Invalid, Unavailable
from serving.bodies import inflate, too_large
from serving.control import Acting, Control, act
from serving.http_errors import status_of
from serving.messages import Asked, Request, Response, error_response
from serving.predict import Late, Predictor
from serving.routes import ROUTES, Asking, Route, RouteTable

logger = logging.getLogger(__name__)

DEADLINE = "fieldhouse-deadline-ms"
REQUEST_ID = "x-request-id"
REQUEST_ID_BYTES = REQUEST_ID.encode()
_LONGEST_ID = 128
PUBLISH_SECONDS = 1.0


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
        self.max_body_bytes = max_body_bytes
        self._control = control
        self._admission = admission or Admission(ByWait())
        self._routes = RouteTable(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        await answer_asgi(self, scope, receive, send)

    def respond(self, request: WholeRequest) -> Coroutine[Any, Any, Response]:
        """Answer one request, see `featureserver.service.Service`. Never raises."""
        return self._respond(
            request.method, request.path, request.headers, request.body, self._admission.arrive()
        )

    async def _respond(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        arrived: float,
    ) -> Response:
        request_id = request_id_of(headers)
        try:
            response = await self._routed(method, path, headers, body, arrived)
        except FieldhouseError as error:
            response = self._refuse(error)
        except Exception:
            logger.exception(
                "a request failed",
                extra={"action": "http:error", "path": path, "request_id": request_id},
            )
            self._predictor.metrics.refused("Internal")
            response = error_response(500, "the server failed on this request; its log says why")
        return response.with_header(REQUEST_ID_BYTES, request_id.encode("latin-1"))

    async def _routed(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        arrived: float,
    ) -> Response:
        if body is None:
            raise too_large(self.max_body_bytes)
        route, captures, allowed = self._routes.match("GET" if method == "HEAD" else method, path)
        if route is None:
            return _no_route(method, path, allowed)
        encoding = headers.get("content-encoding")
        if encoding is not None:
            body = inflate(body, encoding.strip().lower(), self.max_body_bytes)
        return await self._answer(route, Request(captures, headers, body), arrived)

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
        await receive()
        publishing = asyncio.create_task(self._publish())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        publishing.cancel()
        await self._predictor.close_async()
        self._predictor.metrics.publish()
        await send({"type": "lifespan.shutdown.complete"})

    async def _publish(self) -> None:
        """Let the other workers know what was counted here, now and then."""
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            self._predictor.metrics.publish()


def request_id_of(headers: Mapping[str, str]) -> str:
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


def _no_route(method: str, path: str, allowed: list[str]) -> Response:
    if allowed:
        methods = ", ".join(sorted(set(allowed)))
        return error_response(
            405, f"{path} takes {methods}, not {method}", (b"allow", methods.encode())
        )
    return error_response(404, f"there is nothing at {path}")


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
