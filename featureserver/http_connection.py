"""HTTP/1.1 on one connection for services that answer whole requests whole. No routes here.

uvicorn runs it in place of its own protocol class. A request whose answer needs no waiting is
answered in the very step that read it: no task, no message queue, one write. ASGI, with its
messages and a task a request, takes several times as long for a small answer.
"""

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from featureserver.eager import Begun
from featureserver.service import Answer, Service, WholeRequest, is_local
from featureserver.wakeful import Wakeful

logger = logging.getLogger(__name__)
DRAIN_FACTOR = 64
_STATUS = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_CLOSE = b"connection: close\r\n"


class HttpConnection(asyncio.Protocol):
    """One connection. Requests are answered in their order, one at a time."""

    def __init__(
        self,
        service: Service,
        wakeful: Wakeful,
        *,
        config: Any,
        server_state: Any,
        app_state: Any = None,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._service = service
        self._wakeful = wakeful
        self._limit = service.max_body_bytes
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._idle_seconds = config.timeout_keep_alive
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[WholeRequest, bool]] = deque()
        self._draining: WholeRequest | None = None
        self._local = True
        self._busy = self._reading = self._ending = self._deaf = False
        self._last = self._loop.time()
        self.on_message_begin()
        self._reading = False

    # What the transport calls.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._local = is_local(str(peer[0]) if isinstance(peer, tuple) else None)
        self._state.connections.add(self)
        self._watch = self._loop.call_later(self._idle_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._watch.cancel()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        self._last = self._loop.time()
        self._wakeful.asked()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The request itself has been answered, as HTTP; so is what follows it.
            self.data_received(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(b"this is no HTTP request")

    def pause_writing(self) -> None:
        """The client does not read its answers: it shall not ask for more."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._busy and not self._transport.is_closing():
            self._transport.resume_reading()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._reading = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        promised = self._headers.get("content-length", "")
        if promised.isdigit() and int(promised) > self._limit:
            self._answer_early(keep=int(promised) <= self._limit * DRAIN_FACTOR)
        elif self._headers.get("expect", "").lower() == "100-continue" and not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._limit:
            self._parts.append(body)
        elif self._draining is None:
            self._answer_early(keep=True)
        elif self._size > self._limit * DRAIN_FACTOR:
            self._transport.close()

    def on_message_complete(self) -> None:
        self._reading = False
        if self._draining is not None:
            self._drained()
        elif not self._deaf:
            parts = self._parts
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            self._take(self._request(body), self._parser.should_keep_alive())

    # What uvicorn calls.

    def shutdown(self) -> None:
        """End when nothing is under way, else after the answer that is due."""
        if self._busy or self._reading:
            self._ending = True
        else:
            self._transport.close()

    # Our own.

    def _request(self, body: bytes | None) -> WholeRequest:
        path, query = _parts_of(self._url)
        method = self._parser.get_method().decode("ascii")
        return WholeRequest(method, path, self._headers, body, query, self._local)

    def _answer_early(self, keep: bool) -> None:
        """A body is too large: answer now. What is left of it is read and thrown away, within
        reason, so that the client gets its answer instead of a broken connection."""
        self._parts = []
        if not self._deaf:
            self._draining = self._request(None)
            self._take(self._draining, keep and self._parser.should_keep_alive())

    def _drained(self) -> None:
        self._draining = None
        if self._deaf or (self._ending and not self._busy):
            self._transport.close()

    def _take(self, request: WholeRequest, keep: bool) -> None:
        if self._busy:
            self._waiting.append((request, keep))
        else:
            self._begin(request, keep)

    def _begin(self, request: WholeRequest, keep: bool) -> None:
        begun = Begun(self._service.respond(request))
        if begun.done:
            self._finish(request, keep, begun.result)
            return
        self._busy = True
        self._transport.pause_reading()
        task = self._loop.create_task(self._later(request, keep, begun))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _later(self, request: WholeRequest, keep: bool, begun: Begun[Answer]) -> None:
        try:
            answer = await begun
        except BaseException:
            self._transport.close()
            raise
        self._busy = False
        self._finish(request, keep, answer)
        while self._waiting and not self._busy and not self._transport.is_closing():
            self._begin(*self._waiting.popleft())
        if not self._busy and not self._transport.is_closing():
            self._transport.resume_reading()

    def _finish(self, request: WholeRequest, keep: bool, answer: Answer) -> None:
        self._state.total_requests += 1
        if self._transport.is_closing():
            return
        keep = keep and not self._ending
        head = [_STATUS[answer.status]]
        for name, value in (*self._state.default_headers, *answer.headers):
            head += (name, b": ", value, b"\r\n")
        head.append(b"content-length: %d\r\n" % len(answer.body))
        head.append(b"\r\n" if keep else _CLOSE + b"\r\n")
        if request.method != "HEAD":
            head.append(answer.body)
        self._transport.write(b"".join(head))
        self._wakeful.answered(self._loop)
        if not keep:
            self._deaf = True
            if request is not self._draining:
                self._transport.close()

    def _refuse(self, text: bytes) -> None:
        """Answer what cannot be read on."""
        self._deaf = True
        body = b'{"error":"' + text + b'"}'
        head = _STATUS[400] + b"content-type: application/json\r\n" + _CLOSE
        self._transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        self._transport.close()

    def _look(self) -> None:
        """Close a connection on which nothing has happened for long enough."""
        left = self._last + self._idle_seconds - self._loop.time()
        if self._busy:
            left = self._idle_seconds
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self._transport.close()


def _parts_of(url: bytes) -> tuple[str, bytes]:
    """Path, unescaped, and query."""
    if not url.startswith(b"/"):
        parsed = httptools.parse_url(url)
        url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    raw, _, query = url.partition(b"?")
    path = raw.decode("utf-8", "replace")
    return (unquote(path) if "%" in path else path), query
