"""The online store in Redis, for an event loop: connections that all requests share.

Questions of one turn of the loop leave in one write and are answered in order, so requests that
arrive together share a round trip. Large batches travel on a connection of their own and in parts,
so that small requests never wait behind them. Speaks RESP through hiredis; anything that goes wrong
leaves as `Unavailable`, within the timeout, and at once while Redis is known to hang.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import hiredis
from redis import connection as redis_connection

from featureserver.stores.redis import address_of, unavailable
from featureserver.stores.redis_link import Link

BULK_KEYS = 1024
PROBE_SECONDS = 0.1
_parse_url: Any = redis_connection.parse_url


class RedisReader:
    """An `AsyncReader` for a redis://, rediss:// or unix:// URL. Connects when first used."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._options: dict[str, Any] = dict(_parse_url(url))
        self._address = address_of(url)
        self._timeout = timeout_seconds
        self._small = _Lane(self)
        self._bulk = _Lane(self)
        self._hangs: TimeoutError | None = None
        self._probing: asyncio.Task[None] | None = None

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys` in order; raises `Unavailable` within the timeout."""
        if len(keys) <= BULK_KEYS:
            if not keys:
                return []
            small: list[bytes | None] = await self.ask(b"MGET", *keys)
            return small
        parts = [keys[at : at + BULK_KEYS] for at in range(0, len(keys), BULK_KEYS)]
        return [value for part in await self.read_groups(parts) for value in part]

    async def read_groups(self, groups: Sequence[Sequence[bytes]]) -> list[list[bytes | None]]:
        """The values of each group of keys, an MGET each, in one pipelined trip."""
        total = sum(map(len, groups))
        lane = self._small if total <= BULK_KEYS else self._bulk
        commands = [hiredis.pack_command((b"MGET", *group)) for group in groups]
        return await self._exchange(lane, commands)

    async def ask(self, *words: bytes) -> Any:
        """The answer to one command; raises `Unavailable` within the timeout."""
        (found,) = await self._exchange(self._small, (hiredis.pack_command(words),))
        return found

    async def ping(self) -> None:
        """Return when Redis answers; raises `Unavailable`."""
        await self.ask(b"PING")

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
        for lane in (self._small, self._bulk):
            lane.end(ConnectionError("closed"))
        await asyncio.sleep(0)  # lets the loop close the sockets

    async def _exchange(self, lane: "_Lane", commands: Sequence[bytes]) -> list[Any]:
        if self._hangs is not None:
            raise unavailable("read features", self._address, self._hangs)
        deadline = time.monotonic() + self._timeout
        try:
            try:
                return await _answers(lane.link, lane, commands, deadline)
            except ConnectionError:
                # A connection that Redis has closed meanwhile: reading again does no harm.
                return await _answers(None, lane, commands, deadline)
        except TimeoutError as error:
            self._found_hanging(error)
            raise unavailable("read features", self._address, error) from error
        except (OSError, ValueError, hiredis.HiredisError) as error:
            raise unavailable("read features", self._address, error) from error

    def _found_hanging(self, error: TimeoutError) -> None:
        """From here on requests are answered at once, and one probe waits instead of them all."""
        if self._hangs is None:
            self._hangs = error
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while True:
            deadline = time.monotonic() + self._timeout
            with suppress(OSError, ValueError, hiredis.HiredisError):
                link = self._small.link or await self._small.connected(deadline)
                await link.ask(hiredis.pack_command((b"PING",)), deadline)
                self._hangs = None
                return
            await asyncio.sleep(PROBE_SECONDS)

    async def open_link(self) -> Link:
        """A new connection, greeted. Raises OSError, ValueError or hiredis' errors."""
        link = await self._connect()
        try:
            await self._greet(link)
        except BaseException as error:
            link.end(error)
            raise
        return link

    async def _connect(self) -> Link:
        loop, options = asyncio.get_running_loop(), self._options
        if "path" in options:
            _, link = await loop.create_unix_connection(Link, options["path"])
            return link
        host, port = options.get("host", "localhost"), int(options.get("port", 6379))
        _, link = await loop.create_connection(Link, host, port, ssl=self._secure())
        return link

    def _secure(self) -> ssl.SSLContext | None:
        """How TLS is spoken, by the URL's `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`; the
        server's certificate is always verified. None where the URL names no TLS."""
        options = self._options
        kind = options.get("connection_class", object)
        if not issubclass(kind, redis_connection.SSLConnection):
            return None
        secure = ssl.create_default_context()
        if options.get("ssl_ca_certs"):
            secure.load_verify_locations(options["ssl_ca_certs"])
        if options.get("ssl_certfile"):
            secure.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
        return secure

    async def _greet(self, link: Link) -> None:
        deadline = time.monotonic() + self._timeout
        password, user = self._options.get("password"), self._options.get("username")
        if password is not None:
            words = ("AUTH", user, password) if user else ("AUTH", password)
            await link.ask(hiredis.pack_command(words), deadline)
        database = int(self._options.get("db", 0) or 0)
        if database:
            await link.ask(hiredis.pack_command(("SELECT", database)), deadline)


async def _answers(
    link: Link | None, lane: "_Lane", commands: Sequence[bytes], deadline: float
) -> list[Any]:
    link = link or await lane.connected(deadline)
    if len(commands) == 1:
        return [await link.ask(commands[0], deadline)]
    return await asyncio.gather(*[link.ask(command, deadline) for command in commands])


class _Lane:
    """One connection at a time, opened anew when it has gone."""

    def __init__(self, reader: RedisReader) -> None:
        self._reader = reader
        self._connecting = asyncio.Lock()
        self._link: Link | None = None

    @property
    def link(self) -> Link | None:
        """The open connection, if there is one."""
        link = self._link
        return None if link is None or link.closed else link

    async def connected(self, deadline: float) -> Link:
        """The open connection, opened when there is none; raises TimeoutError at `deadline`."""
        left = max(0.001, deadline - time.monotonic())
        return await asyncio.wait_for(self._connected(), left)

    async def _connected(self) -> Link:
        async with self._connecting:
            found = self.link
            if found is None:
                found = self._link = await self._reader.open_link()
            return found

    def end(self, why: BaseException) -> None:
        if self._link is not None:
            self._link.end(why)
            self._link = None
