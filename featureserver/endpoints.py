"""The hot route, POST /get-online-features, over whole requests. No pydantic, no framework here."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from featureserver.access_log import AccessLog
from featureserver.admission import Admission
from featureserver.asked_for import ARROW_TYPE, AskedFor, read_headers, request_id
from featureserver.compression import LEAST_BYTES, packed, unpacked
from featureserver.http_errors import JSON_TYPE, describe, too_large
from featureserver.instants import micros_of, rfc3339
from featureserver.lookup import Lookup, LookupResult, Question, answer, answer_without, ask
from featureserver.ports import AsyncReader
from featureserver.render import notice_headers, render
from featureserver.service import Header, Reply, WholeRequest
from featureserver.tally import Tally
from registry.kernel.errors import FieldhouseError, Invalid, Unavailable

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may be, and whether this server answers as Feast's own does."""

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    feast_answers: bool = False


@dataclass(frozen=True, slots=True)
class Readers:
    """Where rows are read. `near` is quick for a request that is alone, and holds the loop while
    it waits; `shared` lets requests that come together share a round trip."""

    shared: AsyncReader
    near: AsyncReader


_decode = msgspec.json.Decoder(FeaturesRequest).decode


class OnlineFeatures:
    """Answers lookups. Built once; a request finds its plan made and its connection open."""

    def __init__(
        self,
        lookup: Lookup,
        readers: Readers,
        tally: Tally,
        admission: Admission,
        limits: Limits = Limits(),
        log: AccessLog | None = None,
    ) -> None:
        self._lookup = lookup
        self._readers = readers
        self._tally = tally
        self._admission = admission
        self._limits = limits
        self._log = log

    async def respond(self, request: WholeRequest) -> Reply:
        """One lookup's answer. Never raises."""
        started, arrived = time.perf_counter(), self._admission.arrive()
        service, caller, rows, own = "refused", "", 0, request_id(request.headers)
        headers: Sequence[Header]
        try:
            asked = read_headers(request, self._limits.feast_answers)
            caller = asked.caller
            result, body, headers = await self._taken(request, asked, arrived)
            status, service, rows = 200, result.plan.label, result.count
        except Exception as error:
            status, body, headers = described(error, own, caller)
        self._tally.answered(service, status)
        seconds = time.perf_counter() - started
        self._tally.stages["whole"].observe(seconds)
        if self._log is not None:
            self._log.note(time.time(), own, caller, service, status, rows, len(body), seconds)
        return Reply(status, body, (*headers, (b"x-request-id", own)))

    async def _taken(
        self, request: WholeRequest, asked: AskedFor, arrived: float
    ) -> tuple[LookupResult, bytes, Sequence[Header]]:
        """Result, body and headers of a lookup that is let in."""
        admission, busy = self._admission, None
        admission.enter(arrived)
        try:
            started = time.perf_counter()
            parsed = self._parsed(request, asked)
            read = time.perf_counter()
            self._tally.stages["read"].observe(read - started)
            result, body, waited = await self._answer(parsed, asked, read)
            busy = time.perf_counter() - started - waited
            return result, body, self._headers(result, asked, body)
        finally:
            admission.leave(busy)

    def _parsed(self, request: WholeRequest, asked: AskedFor) -> FeaturesRequest:
        body = request.body
        if body is None:
            raise too_large(self._limits.body_bytes)
        if asked.encoding:
            body = unpacked(body, asked.encoding, self._limits.body_bytes)
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Invalid(
                "the body is not a lookup",
                str(error),
                'send {"feature_service": "name", "entities": {"join_key": [value]}}',
            ) from error

    async def _answer(
        self, request: FeaturesRequest, asked: AskedFor, started: float
    ) -> tuple[LookupResult, bytes, float]:
        """The result, its body, and how long the store took."""
        stages = self._tally.stages
        question = self._question(request)
        planned = time.perf_counter()
        now = self._lookup.clock()
        reader = self._readers.near if self._admission.alone else self._readers.shared
        try:
            found = await reader.read(question.keys)
            waited = time.perf_counter()
            result = answer(question, found, now, asked.feast_answers)
        except Unavailable as error:
            waited = time.perf_counter()
            result = answer_without(question, now, error)
            self._tally.degraded += 1
        body = _rendered(result, request, asked)
        stages["plan"].observe(planned - started)
        stages["store"].observe(waited - planned)
        stages["answer"].observe(time.perf_counter() - waited)
        self._count(result, asked)
        return result, body, waited - planned

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

    def _headers(self, result: LookupResult, asked: AskedFor, body: bytes) -> Sequence[Header]:
        plans = self._lookup.plans
        headers = [_ARROW_HEADER if asked.arrow else JSON_TYPE]
        if asked.gzip and body[:2] == b"\x1f\x8b":
            headers.append(_GZIP_HEADER)
        headers += notice_headers(result.plan)
        if result.degraded:
            headers.append(_DEGRADED)
        if plans.silent:
            since = micros_of(self._lookup.clock()) - int(plans.age_seconds * 1e6)
            headers.append((b"fieldhouse-registry-silent-since", rfc3339(since).encode()))
        return headers


def described(error: Exception, own: bytes, caller: str) -> tuple[int, bytes, list[Header]]:
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
