"""One connection to Redis on an event loop: questions in, answers matched by their order."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any, cast

import hiredis


class Link(asyncio.Protocol):
    """A connection. What is asked in one turn of the loop is sent in one write."""

    def __init__(self) -> None:
        self.closed = True
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, so nothing is asserted here.
        self._transport, self.closed = cast(asyncio.WriteTransport, transport), False

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                self._answer(answer)
        except (hiredis.HiredisError, IndexError) as error:
            self.end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(exc or ConnectionResetError("Redis closed the connection"))

    def ask(self, command: bytes, deadline: float) -> "asyncio.Future[Any]":
        """Send a packed command; its answer comes by `deadline` (monotonic seconds) or the
        connection ends. The future raises hiredis.ReplyError, TimeoutError or ConnectionError."""
        if self.closed:
            raise ConnectionResetError("the connection to Redis is closed")
        future = self._loop.create_future()
        self._waiting.append((future, deadline))
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(command)
        if self._watch is None:
            self._watch = self._loop.call_later(deadline - time.monotonic(), self._look)
        return future

    def end(self, why: BaseException) -> None:
        """Close, and tell everybody who waits."""
        self.closed = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            with suppress(Exception):
                self._transport.abort()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(why)

    def _send(self) -> None:
        whole = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        if self._transport is not None and not self.closed:
            self._transport.write(whole)

    def _answer(self, answer: Any) -> None:
        future, _ = self._waiting.popleft()
        if future.done():
            return
        if isinstance(answer, hiredis.ReplyError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _look(self) -> None:
        """The one who waits longest is first: when its time is up, Redis is too slow for all."""
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][1] - time.monotonic()
        if left <= 0:
            self.end(TimeoutError("Redis did not answer in time"))
        else:
            self._watch = self._loop.call_later(left, self._look)
