"""Small reads from a Redis that is near: the answer is polled for before anybody sleeps for it.

A near Redis answers within tens of microseconds, and being put to sleep and woken takes longer
than that. So a reader looks again and again for a short while (`online.poll_micros`). Where that
was in vain it rests, twice as long each time and up to a second, so that a far or busy Redis costs
no more than before. Whatever goes wrong here is left to the ordinary way, which knows what to do.
"""

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis import connection as redis_connection

from featureserver.patience import REST_SECONDS, Patience
from featureserver.ports import AsyncReader
from featureserver.stores.redis import address_of, unavailable

MOST_KEYS = 128
_BYTES = 1 << 16
_parse_url: Any = redis_connection.parse_url
Found = list[bytes | None]


class Connection:
    """One connection, for one question at a time. `owed` answers of earlier questions are still to
    come and belong to nobody; `slept` says that polling was in vain the last time. Every call may
    raise `OSError` or hiredis' errors."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        options = dict(_parse_url(url))
        self.owed = 0
        self.slept = False
        self._pid = os.getpid()
        self._socket = _connected(options, timeout_seconds)
        self._reader = hiredis.Reader()
        try:
            self._greet(options, timeout_seconds)
        except BaseException:
            self._socket.close()
            raise

    def ask(self, command: bytes, patience: float, timeout_seconds: float) -> Any:
        """The answer to a packed command: polled for `patience` seconds, then waited for until
        `timeout_seconds`. Raises `TimeoutError`, and then owes the answer."""
        if self._pid != os.getpid():
            raise ConnectionError("the connection belongs to the process that forked this one")
        if self._socket.send(command) != len(command):
            raise ConnectionError("Redis takes no more")
        self.owed += 1
        self.slept = False
        give_up = time.perf_counter() + patience
        while True:
            try:
                self._reader.feed(self._received())
            except BlockingIOError:
                os.sched_yield()  # Redis may have been woken on this very processor
                if time.perf_counter() > give_up:
                    self.slept = True
                    if not timeout_seconds or not self._sleep(timeout_seconds):
                        raise TimeoutError("Redis did not answer in time") from None
            while (answer := self._reader.gets()) is not False:
                self.owed -= 1
                if not self.owed:
                    return answer

    def close(self) -> None:
        self._socket.close()

    def _received(self) -> bytes:
        data = self._socket.recv(_BYTES)
        if not data:
            raise ConnectionResetError("Redis closed the connection")
        return data

    def _sleep(self, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def _greet(self, options: dict[str, Any], timeout_seconds: float) -> None:
        password, user = options.get("password"), options.get("username")
        words: list[tuple[Any, ...]] = []
        if password is not None:
            words.append(("AUTH", user, password) if user else ("AUTH", password))
        if int(options.get("db", 0) or 0):
            words.append(("SELECT", int(options["db"])))
        for word in words:
            answer = self.ask(hiredis.pack_command(word), 0.0, timeout_seconds)
            if isinstance(answer, hiredis.ReplyError):
                raise answer


def can_poll(url: str) -> bool:
    """Whether a URL names one Redis that is reached in the clear, and there is a processor to
    poll on beside it."""
    kind = dict(_parse_url(url)).get("connection_class", redis_connection.Connection)
    secure = issubclass(kind, redis_connection.SSLConnection)
    return not secure and len(os.sched_getaffinity(0)) > 1


class PollingPool:
    """Small reads for threads, on as many connections as threads read at a time."""

    def __init__(self, url: str, timeout_seconds: float, patience: float) -> None:
        self._url, self._timeout, self._patience = url, timeout_seconds, Patience(patience)
        self._free: deque[Connection] = deque()
        self._works_from = 0.0

    def read(self, keys: Sequence[bytes]) -> Found | None:
        """The values of `keys`; None when the ordinary way must be gone. Raises `Unavailable`
        when Redis does not answer in time."""
        if len(keys) > MOST_KEYS or time.monotonic() < self._works_from:
            return None
        connection = None
        try:
            connection = self._free.pop() if self._free else Connection(self._url, self._timeout)
            command = hiredis.pack_command((b"MGET", *keys))
            patience = self._patience.now
            answer = connection.ask(command, patience, self._timeout)
        except TimeoutError as error:
            self._drop(connection)
            raise unavailable("read features", address_of(self._url), error) from error
        except (OSError, IndexError, hiredis.HiredisError):
            self._drop(connection)
            return None
        if connection.slept and patience:
            self._patience.lost()
        elif patience:
            self._patience.found()
        self._free.append(connection)
        return answer if type(answer) is list else None

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    def _drop(self, connection: Connection | None) -> None:
        self._works_from = time.monotonic() + REST_SECONDS
        if connection is not None:
            connection.close()


class PollingReader:
    """An `AsyncReader` that polls for small answers and leaves all else to another reader.

    It holds the loop for `patience` seconds at most; connecting is done by a thread.
    """

    def __init__(
        self, ordinary: AsyncReader, url: str, timeout_seconds: float, patience: float
    ) -> None:
        self._ordinary = ordinary
        self._url, self._timeout, self._patience = url, timeout_seconds, Patience(patience)
        self._connection: Connection | None = None
        self._connecting: threading.Thread | None = None
        self._closed = False
        self._connects_from = 0.0

    async def read(self, keys: Sequence[bytes]) -> Found:
        found = self._polled(keys) if len(keys) <= MOST_KEYS else None
        return await self._ordinary.read(keys) if found is None else found

    async def ping(self) -> None:
        await self._ordinary.ping()

    async def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.join(self._timeout)
        if self._connection is not None:
            self._connection.close()
        await self._ordinary.close()

    def _polled(self, keys: Sequence[bytes]) -> Found | None:
        connection, patience = self._connection, self._patience.now
        if connection is None:
            self._start_connecting()
        if connection is None or not patience:
            return None
        try:
            answer = connection.ask(hiredis.pack_command((b"MGET", *keys)), patience, 0.0)
        except TimeoutError:
            self._patience.lost()
            return None
        except (OSError, IndexError, hiredis.HiredisError):
            connection.close()
            self._connection = None
            return None
        self._patience.found()
        return answer if type(answer) is list else None

    def _start_connecting(self) -> None:
        if time.monotonic() >= self._connects_from and not self._closed:
            self._connects_from = time.monotonic() + REST_SECONDS + self._timeout
            self._connecting = threading.Thread(target=self._connect, daemon=True)
            self._connecting.start()

    def _connect(self) -> None:
        try:
            connection = Connection(self._url, self._timeout)
        except (OSError, IndexError, ValueError, hiredis.HiredisError):
            return
        if self._closed:
            connection.close()
        else:
            self._connection = connection


def _connected(options: dict[str, Any], timeout_seconds: float) -> socket.socket:
    if "path" in options:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout_seconds)
            made.connect(options["path"])
        except BaseException:
            made.close()
            raise
    else:
        address = (options.get("host", "localhost"), int(options.get("port", 6379)))
        made = socket.create_connection(address, timeout_seconds)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made
