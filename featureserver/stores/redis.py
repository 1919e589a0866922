"""The online store in Redis, for threads: reads by MGET, writes by one Lua script per batch.

Foreign errors leave as `Unavailable`; the address in messages never holds a password.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from redis.exceptions import NoScriptError, RedisError

from featureserver.keys import belongs, key_suffix, parse_key
from registry.kernel.errors import Unavailable

SCRIPT = files("featureserver.stores").joinpath("write_newest.lua").read_bytes()
ROWS_PER_CALL = 512
_CALLS_PER_TRIP = 16
_GLOB = str.maketrans({c: f"\\{c}" for c in "*?[]^\\"})


class QuickReads(Protocol):
    """See `redis_polled.PollingPool`."""

    def read(self, keys: Sequence[bytes]) -> list[bytes | None] | None: ...

    def close(self) -> None: ...


class RedisOnlineStore:
    """An `OnlineStore` over a redis-py client (bytes, not decoded). `quick` reads a few keys in a
    shorter way, or gives None."""

    def __init__(
        self, client: redis.Redis, address: str = "", quick: QuickReads | None = None
    ) -> None:
        self._quick = quick
        self._client: Any = client  # redis-py types one class for both threads and event loops
        self._address = address
        self._digest: bytes | None = None

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        if self._quick is not None and (quickly := self._quick.read(keys)) is not None:
            return quickly
        with self._translated("read features"):
            found: list[bytes | None] = self._client.execute_command("MGET", *keys)
            return found

    def write(
        self,
        keys: Sequence[bytes],
        rows: Sequence[bytes],
        *,
        expire_seconds: float | None = None,
        rewrite: bool = False,
    ) -> int:
        expiry = b"0" if expire_seconds is None else b"%d" % max(1, round(expire_seconds * 1000))
        flags = (b"1" if rewrite else b"0", expiry)
        trip = ROWS_PER_CALL * _CALLS_PER_TRIP
        with self._translated("write features"):
            return sum(
                self._trip(keys[at : at + trip], rows[at : at + trip], flags)
                for at in range(0, len(keys), trip)
            )

    def delete_generation(self, namespace: str, view_key: str, generation: int) -> int:
        deleted = 0
        with self._translated("delete a generation"):
            for keys in self.keys_of(namespace, view_key, generation):
                deleted += self._unlink(keys)
        return deleted

    def count_generation(self, namespace: str, view_key: str, generation: int) -> int:
        with self._translated("count a generation"):
            found: set[bytes] = set()
            for keys in self.keys_of(namespace, view_key, generation):
                found.update(keys)
            return len(found)

    def generations(self, namespace: str) -> dict[tuple[str, int], int]:
        with self._translated("list generations"):
            pattern = "{*}" + namespace.translate(_GLOB) + "/*"
            keys = {key for part in self._scan(pattern) for key in part}
        return dict(Counter(filter(None, (parse_key(key, namespace) for key in keys))))

    def notes(self, namespace: str) -> Mapping[str, bytes]:
        with self._translated("read the journal"):
            found = self._client.hgetall(_notes_key(namespace))
            return {name.decode(): value for name, value in found.items()}

    def write_note(self, namespace: str, name: str, value: bytes) -> None:
        with self._translated("write the journal"):
            self._client.hset(_notes_key(namespace), name.encode(), value)

    def add_note(self, namespace: str, name: str, value: bytes) -> bool:
        with self._translated("write the journal"):
            return bool(self._client.hsetnx(_notes_key(namespace), name.encode(), value))

    def drop_note(self, namespace: str, name: str) -> None:
        with self._translated("write the journal"):
            self._client.hdel(_notes_key(namespace), name.encode())

    def ping(self) -> None:
        with self._translated("reach Redis"):
            self._client.ping()

    def close(self) -> None:
        if self._quick is not None:
            self._quick.close()
        self._client.close()

    def _trip(self, keys: Sequence[bytes], rows: Sequence[bytes], flags: tuple[bytes, ...]) -> int:
        try:
            return self._send(keys, rows, flags)
        except NoScriptError:
            self._digest = None
            return self._send(keys, rows, flags)

    def _send(self, keys: Sequence[bytes], rows: Sequence[bytes], flags: tuple[bytes, ...]) -> int:
        if self._digest is None:
            loaded = self._client.execute_command("SCRIPT LOAD", SCRIPT)
            self._digest = loaded if isinstance(loaded, bytes) else loaded.encode()
        with self._client.pipeline(transaction=False) as pipe:
            for at in range(0, len(keys), ROWS_PER_CALL):
                some = keys[at : at + ROWS_PER_CALL]
                pipe.execute_command(
                    "EVALSHA",
                    self._digest,
                    len(some),
                    *some,
                    *flags,
                    *rows[at : at + ROWS_PER_CALL],
                )
            return sum(pipe.execute())

    def _unlink(self, keys: Sequence[bytes]) -> int:
        return int(self._client.unlink(*keys))

    def keys_of(self, namespace: str, view_key: str, generation: int) -> Iterator[list[bytes]]:
        suffix = key_suffix(namespace, view_key, generation)
        for keys in self._scan("{*" + suffix.decode().translate(_GLOB)):
            own = [key for key in keys if belongs(key, suffix)]
            if own:
                yield own

    def _scan(self, pattern: str) -> Iterator[list[bytes]]:
        cursor = 0
        while True:
            with self._translated("list keys"):
                cursor, keys = self._client.scan(cursor, match=pattern, count=2000)
            if keys:
                yield keys
            if int(cursor) == 0:
                return

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise unavailable(doing, self._address, error) from error


def _notes_key(namespace: str) -> bytes:
    return f"fieldhouse/journal/{namespace}".encode()


def unavailable(doing: str, address: str, error: BaseException) -> Unavailable:
    """The error for a Redis that does not answer or refuses to."""
    where = f" at {address}" if address else ""
    return Unavailable(
        f"cannot {doing}: Redis{where} does not do it",
        f"{type(error).__name__}: {error}",
        "see that it runs and that online.url names it",
    )


def connect(url: str, timeout_seconds: float) -> redis.Redis:
    """A client for a redis://, rediss:// or unix:// URL; nothing is sent yet."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "decode_responses": False,
    }
    client: redis.Redis = redis.Redis.from_url(url, **options)
    return client


def address_of(url: str) -> str:
    """The URL for messages: no user, no password, no query."""
    parts = urlsplit(url)
    place = parts.hostname or ""
    if parts.port:
        place += f":{parts.port}"
    return f"{parts.scheme}://{place}{parts.path}"
