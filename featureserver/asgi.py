"""ASGI on both sides of whole requests: a service as an application, an application asked as one.

Our own server hands services their requests without this (`http_connection`); it is for services
that are mounted in somebody's application, and for routes that a framework answers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from featureserver.service import Header, Reply, Service, WholeRequest, is_local

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Disconnected(Exception):
    """The client left before its request was whole."""


async def answer_asgi(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Have a service answer one request of ASGI's."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        body = await _read_body(receive, headers, service.max_body_bytes)
    except Disconnected:
        return
    client = scope.get("client")
    path: str = scope["path"]
    request = WholeRequest(
        scope["method"],
        path.removeprefix(scope.get("root_path", "")),
        headers,
        body,
        scope.get("query_string", b""),
        is_local(str(client[0]) if client and client[0] else None),
    )
    answer = await service.respond(request)
    told = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": told})
    await send({"type": "http.response.body", "body": answer.body})


async def _read_body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes | None:
    """The body; None as soon as it is known to be larger than `most`: who calls us reads what is
    left of it. Raises `Disconnected`."""
    promised = headers.get("content-length", "")
    if promised.isdigit() and int(promised) > most:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


class Asked:
    """Asks an application whole requests. What it goes on with after its answer is waited for by
    `finish`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, application: Application, request: WholeRequest) -> Reply:
        """Its answer; raises what it raises before it has given one."""
        exchange = _Exchange(request)
        task = asyncio.create_task(exchange.run(application))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await exchange.reply

    async def finish(self, seconds: float) -> None:
        """Let what is under way end within that time, then cancel it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()


class _Exchange:
    """One request put to an application, and its answer as it comes."""

    def __init__(self, request: WholeRequest) -> None:
        self._request = request
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._read = False
        self._start: Message = {}
        self._parts: list[bytes] = []

    async def run(self, application: Application) -> None:
        try:
            await application(_scope_of(self._request), self._receive, self._send)
            if not self.reply.done():
                raise RuntimeError("the application gave no answer")
        except Exception as error:
            if self.reply.done():
                logger.exception("a route failed", extra={"action": "http:error"})
            else:
                self.reply.set_exception(error)

    async def _receive(self) -> Message:
        if self._read:
            await asyncio.wait([self.reply])
            return {"type": "http.disconnect"}
        self._read = True
        return {"type": "http.request", "body": self._request.body or b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False) and not self.reply.done():
            headers: tuple[Header, ...] = tuple(
                (name, value)
                for name, value in self._start["headers"]
                if name.lower() != b"content-length"
            )
            self.reply.set_result(Reply(self._start["status"], b"".join(self._parts), headers))


def _scope_of(request: WholeRequest) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in request.headers.items()],
        "client": None,
        "server": None,
        "state": {},
    }
