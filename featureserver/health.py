"""Health and metrics routes, over whole requests: they answer before the framework is loaded."""

from dataclasses import dataclass
from typing import Any

import msgspec

from featureserver.admission import Admission
from featureserver.http_errors import JSON_TYPE
from featureserver.instants import micros_of, rfc3339
from featureserver.lookup import Lookup
from featureserver.ports import AsyncReader
from featureserver.service import Header, Reply, WholeRequest
from featureserver.tally import TallyFiles
from registry.kernel.errors import FieldhouseError

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class Readiness(msgspec.Struct):
    """What the server says about itself. Times are RFC 3339, ages seconds."""

    ready: bool
    published: int | None
    published_age_seconds: float | None
    registry_silent_since: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Answers /health, /health/live, /health/ready and /metrics."""

    lookup: Lookup
    reader: AsyncReader
    admission: Admission
    tallies: TallyFiles

    async def respond(self, request: WholeRequest) -> Reply:
        """One route's answer."""
        if request.method not in ("GET", "HEAD"):
            return Reply(405, b'"this route takes GET"', (JSON_TYPE, (b"allow", b"GET")))
        status, body, headers = await self._answer(request.path)
        return Reply(status, b"" if request.method == "HEAD" else body, headers)

    async def _answer(self, path: str) -> tuple[int, bytes, tuple[Header, ...]]:
        if path == "/health/live":
            return 200, b"", ()
        found = await self.readiness()
        if path == "/metrics":
            return 200, self._metrics(found), (_TEXT,)
        status = 200 if found.ready else 503
        if path == "/health":
            return status, b"", ()
        return status, msgspec.json.encode(found), (JSON_TYPE,)

    async def readiness(self) -> Readiness:
        """Whether lookups can be answered, and why not."""
        plans = self.lookup.plans
        number: int | None = None
        since: str | None = None
        try:
            number = plans.state().number
            if plans.silent:
                micros = micros_of(self.lookup.clock()) - int(plans.age_seconds * 1e6)
                since = rfc3339(micros)
            await self.reader.ping()
        except FieldhouseError as error:
            age = plans.age_seconds if number is not None else None
            return Readiness(False, number, age, since, str(error))
        return Readiness(True, number, plans.age_seconds, since)

    def _metrics(self, found: Readiness) -> bytes:
        from featureserver.metrics import Gauges, exposition

        gauges = Gauges(found.published, found.published_age_seconds, self.admission.under_way)
        return exposition(self.tallies.total(), gauges)


PATHS: dict[str, Any] = dict.fromkeys(("/health", "/health/live", "/health/ready", "/metrics"))
