"""The online store in a Redis Cluster: the same rows and keys, each asked of the node that has it.

All rows of one entity share a slot (`keys`), and a batch goes to each node in one pipelined trip.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException, RedisError

from featureserver.stores.redis import (
    ROWS_PER_CALL,
    SCRIPT,
    RedisOnlineStore,
    address_of,
    unavailable,
)
from featureserver.stores.redis_wire import RedisReader
from registry.kernel.errors import Unavailable


def node_url(url: str) -> str:
    """The URL of the node that a cluster's URL names."""
    return url.replace("+cluster://", "://", 1)


class ClusterOnlineStore(RedisOnlineStore):
    """An `OnlineStore` over a cluster. Raises `Unavailable` when the named node does not answer."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        try:
            client: Any = RedisCluster.from_url(
                node_url(url),
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
            )
        except (RedisError, RedisClusterException) as error:
            raise unavailable("reach the cluster", address_of(url), error) from error
        super().__init__(client, address_of(url))

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        with self._translated("read features"):
            found: list[bytes | None] = self._by_the_map_in_force(lambda: self._get(keys))
            return found

    def _get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._client.pipeline() as pipe:
            for key in keys:
                pipe.get(key)
            found: list[bytes | None] = pipe.execute()
            return found

    def _trip(self, keys: Sequence[bytes], rows: Sequence[bytes], flags: tuple[bytes, ...]) -> int:
        return int(self._by_the_map_in_force(lambda: self._send(keys, rows, flags)))

    def _by_the_map_in_force(self, work: Callable[[], Any]) -> Any:
        """A node has gone, or another took over from it: by a new map, once. Repeating a write
        does no harm."""
        try:
            return work()
        except (RedisError, RedisClusterException):
            self._client.nodes_manager.initialize()
            return work()

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with super()._translated(doing):
            try:
                yield
            except RedisClusterException as error:
                raise unavailable(doing, self._address, error) from error

    def _send(self, keys: Sequence[bytes], rows: Sequence[bytes], flags: tuple[bytes, ...]) -> int:
        with self._client.pipeline() as pipe:
            for places in by_slot(keys).values():
                for at in range(0, len(places), ROWS_PER_CALL):
                    some = places[at : at + ROWS_PER_CALL]
                    # A pipeline of redis-py's cluster client takes EVAL, and refuses EVALSHA.
                    pipe.execute_command(
                        "EVAL",
                        SCRIPT,
                        len(some),
                        *(keys[p] for p in some),
                        *flags,
                        *(rows[p] for p in some),
                    )
            return sum(pipe.execute())

    def _unlink(self, keys: Sequence[bytes]) -> int:
        with self._client.pipeline() as pipe:
            for key in keys:
                pipe.unlink(key)
            return sum(pipe.execute())

    def _scan(self, pattern: str) -> Iterator[list[bytes]]:
        for node in self._client.get_primaries():
            cursor = 0
            while True:
                with self._translated("list keys"):
                    answer = self._client.scan(cursor, match=pattern, count=2000, target_nodes=node)
                    cursors, keys = answer
                    cursor = int(cursors[node.name])
                if keys:
                    yield keys
                if cursor == 0:
                    break


def by_slot(keys: Sequence[bytes]) -> dict[int, list[int]]:
    """Slot to the places of its keys."""
    found: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key_slot(key), []).append(place)
    return found


class ClusterReader:
    """An `AsyncReader` over a cluster. Learns which node has which slot, again when one moved."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url, self._timeout = url, timeout_seconds
        self._seed = RedisReader(node_url(url), timeout_seconds)
        self._nodes: dict[tuple[str, int], RedisReader] = {}
        self._slots: list[RedisReader | None] = []

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys` in order, one pipelined trip to each node that has some."""
        if not keys:
            return []
        try:
            return await self._read(keys)
        except Unavailable:
            # A slot has moved, or its node has gone: ask again by a new map, once.
            await self._learn()
            return await self._read(keys)

    async def ping(self) -> None:
        """Return when every node answers; raises `Unavailable`."""
        if not self._slots:
            await self._learn()
        await asyncio.gather(*(node.ping() for node in self._nodes.values()))

    async def close(self) -> None:
        for reader in (self._seed, *self._nodes.values()):
            await reader.close()

    async def _read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not self._slots:
            await self._learn()
        asked: dict[RedisReader, list[list[int]]] = {}
        for slot, places in by_slot(keys).items():
            node = self._slots[slot]
            if node is None:
                raise Unavailable(f"no node of the cluster has slot {slot}")
            asked.setdefault(node, []).append(places)
        answers = await asyncio.gather(
            *(
                node.read_groups([[keys[place] for place in places] for places in groups])
                for node, groups in asked.items()
            )
        )
        found: list[bytes | None] = [None] * len(keys)
        for groups, values in zip(asked.values(), answers, strict=True):
            for places, some in zip(groups, values, strict=True):
                for place, value in zip(places, some, strict=True):
                    found[place] = value
        return found

    async def _learn(self) -> None:
        """Ask any node that answers which node has which slot."""
        ranges = await self._ranges()
        nodes: dict[tuple[str, int], RedisReader] = {}
        slots: list[RedisReader | None] = [None] * 16384
        for first, last, primary, *_ in ranges:
            place = (primary[0].decode() or self._host(), int(primary[1]))
            node = nodes.get(place) or self._nodes.get(place) or self._open(place)
            nodes[place] = node
            slots[first : last + 1] = [node] * (last - first + 1)
        gone = [reader for place, reader in self._nodes.items() if place not in nodes]
        self._nodes, self._slots = nodes, slots
        for reader in gone:
            await reader.close()

    async def _ranges(self) -> Any:
        last: Unavailable | None = None
        for reader in (self._seed, *self._nodes.values()):
            try:
                return await reader.ask(b"CLUSTER", b"SLOTS")
            except Unavailable as error:
                last = error
        assert last is not None
        raise last

    def _host(self) -> str:
        return urlsplit(self._url).hostname or "localhost"

    def _open(self, place: tuple[str, int]) -> RedisReader:
        """A reader of one node, with the user, password and TLS of the cluster's URL."""
        parts = urlsplit(node_url(self._url))
        login, at, _ = parts.netloc.rpartition("@")
        host = f"[{place[0]}]" if ":" in place[0] else place[0]
        made = parts._replace(netloc=f"{login}{at}{host}:{place[1]}")
        return RedisReader(made.geturl(), self._timeout)
