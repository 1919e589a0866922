"""The data plane as one raw ASGI application: routing, bodies, errors. No framework, no models."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from registry.kernel.errors import FieldhouseError, Unavailable
from serving.bodies import inflate, too_large
from serving.endpoints import ROUTES, Endpoint, Request, Response, error_response
from serving.http_errors import status_of
from serving.predict import Predictor

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_DRAIN_FACTOR = 64


class RouteTable:
    """Paths to endpoints. A pattern's `{name}` matches one segment."""

    def __init__(self, routes: Sequence[tuple[str, str, Endpoint]]) -> None:
        self._by_length: dict[int, list[tuple[str, list[str], Endpoint]]] = {}
        for method, pattern, endpoint in routes:
            segments = pattern.split("/")
            self._by_length.setdefault(len(segments), []).append((method, segments, endpoint))

    def match(self, method: str, path: str) -> tuple[Endpoint | None, dict[str, str], list[str]]:
        """The endpoint and its captures, or None and the methods that the path does take."""
        parts = path.split("/")
        allowed = []
        for wanted, segments, endpoint in self._by_length.get(len(parts), ()):
            captures = _captures(segments, parts)
            if captures is None:
                continue
            if wanted == method:
                return endpoint, captures, []
            allowed.append(wanted)
        return None, {}, allowed


def _captures(segments: list[str], parts: list[str]) -> dict[str, str] | None:
    found = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment.startswith("{"):
            found[segment[1:-1]] = part
        elif segment != part:
            return None
    return found


class DataPlane:
    """The ASGI application. Predictions run inline: they take less time than a thread's hop."""

    def __init__(self, predictor: Predictor, max_body_bytes: int) -> None:
        self._predictor = predictor
        self._limit = max_body_bytes
        self._routes = RouteTable(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        response = await self._respond(scope, receive)
        if response is None:
            return None
        headers = [*response.headers, (b"content-length", str(len(response.body)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return None

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        endpoint, captures, allowed = self._routes.match(method, path)
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        try:
            body = await _read_body(receive, headers, self._limit)
            if body is None:
                return None
            if endpoint is None:
                return _no_route(scope, allowed)
            plain = inflate(body, headers.get("content-encoding", "").strip().lower(), self._limit)
            return endpoint(self._predictor, Request(captures, headers, plain))
        except FieldhouseError as error:
            return self._refuse(error)
        except Exception:
            logger.exception(
                "a request failed", extra={"action": "http:error", "path": scope["path"]}
            )
            self._predictor.metrics.refused("Internal")
            return error_response(500, "the server failed on this request; its log says why")

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
                self._predictor.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


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


def create_app(predictor: Predictor, max_body_bytes: int = 16 << 20) -> DataPlane:
    """The ASGI app over a predictor; mountable in another app. Closes the predictor at shutdown."""
    return DataPlane(predictor, max_body_bytes)
