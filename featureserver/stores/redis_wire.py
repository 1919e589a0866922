"""The online store in Redis, for an event loop: one connection that all requests share.

Commands are written as they come and answered in order, so requests that arrive together share a
round trip. Speaks RESP through hiredis; anything that goes wrong leaves as `Unavailable`.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
from redis import connection as redis_connection

from featureserver.stores.redis import address_of, unavailable
from registry.kernel.errors import Unavailable

_parse_url: Any = redis_connection.parse_url


class RedisReader:
    """An `AsyncReader` for a redis://, rediss:// or unix:// URL. Connects when first used."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._options: dict[str, Any] = dict(_parse_url(url))
        self._address = address_of(url)
        self._timeout = timeout_seconds
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys` in order; raises `Unavailable` within the timeout."""
        if not keys:
            return []
        found: list[bytes | None] = await self._ask(b"MGET", *keys)
        return found

    async def ping(self) -> None:
        """Return when Redis answers; raises `Unavailable`."""
        await self._ask(b"PING")

    async def close(self) -> None:
        if self._link is not None:
            self._link.end(ConnectionError("closed"))
            self._link = None
            await asyncio.sleep(0)  # lets the loop close the socket

    async def _ask(self, *words: bytes) -> Any:
        link = self._link
        try:
            if link is None or link.closed:
                link = await asyncio.wait_for(self._connected(), self._timeout)
            return await link.ask(words, self._timeout)
        except Unavailable:
            raise
        except (OSError, ValueError, hiredis.HiredisError) as error:
            raise unavailable("read features", self._address, error) from error

    async def _connected(self) -> "_Link":
        async with self._connecting:
            if self._link is not None and not self._link.closed:
                return self._link
            link = await self._connect()
            try:
                await self._greet(link)
            except BaseException as error:
                link.end(error)
                raise
            self._link = link
            return link

    async def _connect(self) -> "_Link":
        loop, options = asyncio.get_running_loop(), self._options
        if "path" in options:
            _, link = await loop.create_unix_connection(_Link, options["path"])
            return link
        secure = ssl.create_default_context() if self._is_tls() else None
        if secure is not None and options.get("ssl_ca_certs"):
            secure.load_verify_locations(options["ssl_ca_certs"])
        host, port = options.get("host", "localhost"), int(options.get("port", 6379))
        _, link = await loop.create_connection(_Link, host, port, ssl=secure)
        return link

    def _is_tls(self) -> bool:
        return issubclass(
            self._options.get("connection_class", object), redis_connection.SSLConnection
        )

    async def _greet(self, link: "_Link") -> None:
        password, user = self._options.get("password"), self._options.get("username")
        if password is not None:
            words = (user, password) if user else (password,)
            await link.ask((b"AUTH", *(word.encode() for word in words)), self._timeout)
        database = int(self._options.get("db", 0) or 0)
        if database:
            await link.ask((b"SELECT", b"%d" % database), self._timeout)


class _Link(asyncio.Protocol):
    """One connection: answers are matched to questions by their order."""

    def __init__(self) -> None:
        self.closed = True
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, so nothing is asserted here.
        self._transport, self.closed = cast(asyncio.WriteTransport, transport), False

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                self._answer(answer)
        except hiredis.HiredisError as error:
            self.end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(exc or ConnectionResetError("Redis closed the connection"))

    async def ask(self, words: Sequence[bytes], timeout: float) -> Any:
        """Send one command and wait for its answer; a late one ends the connection."""
        if self._transport is None or self.closed:
            raise ConnectionResetError("the connection to Redis is closed")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._transport.write(hiredis.pack_command(tuple(words)))
        handle = asyncio.get_running_loop().call_later(timeout, self._late, future)
        try:
            return await future
        finally:
            handle.cancel()

    def end(self, why: BaseException) -> None:
        """Close, and tell everybody who waits."""
        self.closed = True
        if self._transport is not None:
            with suppress(Exception):
                self._transport.abort()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(why)

    def _answer(self, answer: Any) -> None:
        future = self._waiting.popleft()
        if future.done():
            return
        if isinstance(answer, hiredis.ReplyError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _late(self, future: "asyncio.Future[Any]") -> None:
        if not future.done():
            self.end(TimeoutError("Redis did not answer in time"))
