"""The hot route, POST /get-online-features, as plain ASGI. No pydantic and no framework here."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from featureserver.http_errors import JSON_TYPE, TooLarge, WrongMethod, WrongType, describe
from featureserver.lookup import Lookup, answer, ask
from featureserver.metrics import Metrics
from featureserver.ports import AsyncReader
from featureserver.render import notice_headers, render
from registry.kernel.errors import FieldhouseError, Invalid

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class FeaturesRequest(msgspec.Struct):
    """The body of a lookup; keys that are not listed here are ignored, as Feast does."""

    entities: dict[str, list[Any]]
    features: list[str] | None = None
    feature_service: str | None = None
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


class Disconnected(Exception):
    """The client went away before its request was read."""


_decode = msgspec.json.Decoder(FeaturesRequest).decode


class OnlineFeatures:
    """Answers lookups. Built once; a request finds its plan made and its connection open."""

    def __init__(
        self, lookup: Lookup, reader: AsyncReader, metrics: Metrics, max_body_bytes: int
    ) -> None:
        self._lookup = lookup
        self._reader = reader
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = "ad hoc"
        try:
            _check_request(scope)
            started = time.perf_counter()
            request = _parsed(await read_body(scope, receive, self._max_body_bytes))
            self._metrics.stages["read"].observe(time.perf_counter() - started)
            service = request.feature_service or service
            status, (body, headers) = 200, await self._answer(request)
        except Disconnected:
            return
        except FieldhouseError as error:
            status, body, headers = describe(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.exception("a lookup failed", extra={"action": "lookup:failed"})
            status, body, headers = describe(error)
        known = service if status == 200 else "refused"
        self._metrics.requests.labels(known, str(status)).inc()
        await respond(send, status, body, headers)

    async def _answer(self, request: FeaturesRequest) -> tuple[bytes, Headers]:
        stages, started = self._metrics.stages, time.perf_counter()
        asked = request.feature_service or request.features or ()
        plan = self._lookup.plan(asked, full_feature_names=request.full_feature_names)
        question = ask(plan, request.entities)
        planned = time.perf_counter()
        found = await self._reader.read(question.keys)
        waited = time.perf_counter()
        result = answer(question, found, self._lookup.clock())
        body = render(result, request.include_feature_view_version_metadata)
        stages["plan"].observe(planned - started)
        stages["store"].observe(waited - planned)
        stages["answer"].observe(time.perf_counter() - waited)
        self._metrics.rows.inc(result.count)
        invalid = sum(c.marks.count("INVALID") for c in result.columns if c.marks is not None)
        if invalid:
            self._metrics.invalid.inc(invalid)
        return body, [JSON_TYPE, *notice_headers(plan)]


def _check_request(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise WrongMethod(f"/get-online-features takes POST, not {scope['method']}")
    for name, value in scope["headers"]:
        if name == b"content-type" and b"json" not in value.lower():
            raise WrongType(
                f"the body is {value.decode('latin-1')!r}", hint="send application/json"
            )


def _parsed(body: bytes) -> FeaturesRequest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(
            "the body is not a lookup",
            str(error),
            'send {"feature_service": "name", "entities": {"join_key": [value]}}',
        ) from error


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be, or `Disconnected`."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > most:
            raise _too_large(most)
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        return _whole([message.get("body", b"")], most)
    parts, total = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        parts.append(part)
        total += len(part)
        if total > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _whole(parts: list[bytes], most: int) -> bytes:
    body = b"".join(parts)
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        "the body is too large", f"this server takes {most} bytes", "ask in smaller batches"
    )


async def respond(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send one whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
