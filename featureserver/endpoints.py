"""The hot route, POST /get-online-features, as plain ASGI. No pydantic and no framework here."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

from featureserver.access_log import AccessLog
from featureserver.admission import Admission
from featureserver.asked_for import ARROW_TYPE, AskedFor, read_headers, request_id
from featureserver.compression import LEAST_BYTES, packed, unpacked
from featureserver.http_errors import JSON_TYPE, TooLarge, describe
from featureserver.instants import micros_of, rfc3339
from featureserver.lookup import Lookup, LookupResult, Question, answer, answer_without, ask
from featureserver.ports import AsyncReader
from featureserver.render import notice_headers, render
from featureserver.tally import Tally
from registry.kernel.errors import FieldhouseError, Invalid, Unavailable

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_ARROW_HEADER = (b"content-type", ARROW_TYPE)
_GZIP_HEADER = (b"content-encoding", b"gzip")
_DEGRADED = (b"fieldhouse-degraded", b"defaults, since the store does not answer")


class FeaturesRequest(msgspec.Struct):
    """The body of a lookup; keys that are not listed here are ignored, as Feast does."""

    entities: dict[str, list[Any]]
    features: list[str] | None = None
    feature_service: str | None = None
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


class Disconnected(Exception):
    """The client went away before its request was read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may be, and whether this server answers as Feast's own does."""

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    feast_answers: bool = False


_decode = msgspec.json.Decoder(FeaturesRequest).decode


class OnlineFeatures:
    """Answers lookups. Built once; a request finds its plan made and its connection open."""

    def __init__(
        self,
        lookup: Lookup,
        reader: AsyncReader,
        tally: Tally,
        admission: Admission,
        limits: Limits = Limits(),
        log: AccessLog | None = None,
    ) -> None:
        self._lookup = lookup
        self._reader = reader
        self._tally = tally
        self._admission = admission
        self._limits = limits
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        given = dict(scope["headers"])
        service, caller, rows, own = "refused", "", 0, request_id(given)
        try:
            asked = read_headers(scope, given, self._limits.feast_answers)
            caller = asked.caller
            result, body, headers = await self._taken(receive, given, asked, started)
            status, service, rows = 200, result.plan.label, result.count
        except Disconnected:
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:
            status, body, headers = described(error, own, caller)
        self._tally.answered(service, status)
        headers.append((b"x-request-id", own))
        await respond(send, status, body, headers)
        seconds = time.perf_counter() - started
        self._tally.stages["whole"].observe(seconds)
        if self._log is not None:
            self._log.note(time.time(), own, caller, service, status, rows, len(body), seconds)

    async def _taken(
        self, receive: Receive, given: dict[bytes, bytes], asked: AskedFor, started: float
    ) -> tuple[LookupResult, bytes, Headers]:
        """Result, body and headers of a lookup that is let in."""
        admission, busy = self._admission, None
        admission.enter()
        try:
            body = await read_body(given, receive, self._limits.body_bytes)
            if asked.encoding:
                body = unpacked(body, asked.encoding, self._limits.body_bytes)
            request = _parsed(body)
            self._tally.stages["read"].observe(time.perf_counter() - started)
            result, answered, busy = await self._answer(request, asked)
            return result, answered, self._headers(result, asked, answered)
        finally:
            admission.leave(busy)

    async def _answer(
        self, request: FeaturesRequest, asked: AskedFor
    ) -> tuple[LookupResult, bytes, float]:
        """The result, its body, and how long that kept the processor."""
        stages, started = self._tally.stages, time.perf_counter()
        question = self._question(request)
        planned = time.perf_counter()
        now = self._lookup.clock()
        try:
            found = await self._reader.read(question.keys)
            waited = time.perf_counter()
            result = answer(question, found, now, asked.feast_answers)
        except Unavailable as error:
            waited = time.perf_counter()
            result = answer_without(question, now, error)
            self._tally.degraded += 1
        body = _rendered(result, request, asked)
        ended = time.perf_counter()
        stages["plan"].observe(planned - started)
        stages["store"].observe(waited - planned)
        stages["answer"].observe(ended - waited)
        self._count(result, asked)
        return result, body, planned - started + ended - waited

    def _question(self, request: FeaturesRequest) -> Question:
        asked = request.feature_service or request.features or ()
        plan = self._lookup.plan(asked, full_feature_names=request.full_feature_names)
        question = ask(plan, request.entities)
        if question.count > self._limits.rows:
            raise Invalid(
                f"{question.count} entities at once are too many",
                f"this server takes {self._limits.rows}",
                "ask in batches, or raise features.max_rows",
            )
        return question

    def _count(self, result: LookupResult, asked: AskedFor) -> None:
        count = result.count
        self._lookup.usage.note(result.plan, asked.caller, count)
        self._tally.rows += count
        for block in result.blocks:
            for marks in block.marks or ():
                if marks is not None:
                    self._tally.invalid += marks.count("INVALID")

    def _headers(self, result: LookupResult, asked: AskedFor, body: bytes) -> Headers:
        plans = self._lookup.plans
        headers: Headers = [_ARROW_HEADER if asked.arrow else JSON_TYPE]
        if asked.gzip and body[:2] == b"\x1f\x8b":
            headers.append(_GZIP_HEADER)
        headers += notice_headers(result.plan)
        if result.degraded:
            headers.append(_DEGRADED)
        if plans.silent:
            since = micros_of(self._lookup.clock()) - int(plans.age_seconds * 1e6)
            headers.append((b"fieldhouse-registry-silent-since", rfc3339(since).encode()))
        return headers


def described(error: Exception, own: bytes, caller: str) -> tuple[int, bytes, Headers]:
    """Status, body and headers of an error; what is our fault is logged with the request's id."""
    status, body, headers = describe(error)
    told = {"request_id": own.decode("latin-1"), "caller": caller, "status": status}
    if not isinstance(error, FieldhouseError):
        logger.error("a lookup failed", exc_info=error, extra={"action": "lookup:failed", **told})
    elif status >= 500:
        logger.warning(str(error), extra={"action": "lookup:unavailable", **told})
    else:
        logger.debug(str(error), extra={"action": "lookup:refused", **told})
    return status, body, headers


def _rendered(result: LookupResult, request: FeaturesRequest, asked: AskedFor) -> bytes:
    if asked.arrow:
        from featureserver.arrow_answer import render_arrow

        body = render_arrow(result)
    else:
        body = render(result, request.include_feature_view_version_metadata)
    return packed(body) if asked.gzip and len(body) >= LEAST_BYTES else body


def _parsed(body: bytes) -> FeaturesRequest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(
            "the body is not a lookup",
            str(error),
            'send {"feature_service": "name", "entities": {"join_key": [value]}}',
        ) from error


async def read_body(given: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be, or `Disconnected`."""
    length = given.get(b"content-length", b"")
    if length.isdigit() and int(length) > most:
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
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
