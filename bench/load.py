"""A load generator for one HTTP server: closed loop, and open loop at a stated rate.

Hand-written on asyncio, so that what is measured is the server. Times are seconds.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(slots=True)
class Measured:
    """Latencies in seconds, sorted, of answers by status, and how long the run took."""

    latencies: list[float]
    statuses: dict[int, int]
    seconds: float

    def at(self, part: float) -> float:
        """A quantile, by nearest rank."""
        return self.latencies[min(len(self.latencies) - 1, int(part * len(self.latencies)))]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def request(address: str, path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(address).netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""
        self._parts: list[bytes] = []
        self._missing = -1
        self._waiting: asyncio.Future[int] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError())

    def ask(self, whole: bytes) -> "asyncio.Future[int]":
        """Send it; the future gives the status."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._parts, self._missing = [], -1
        self._transport.write(whole)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._parts.append(data)
            whole = b"".join(self._parts)
            end = whole.find(b"\r\n\r\n")
            if end < 0:
                return
            head = whole[:end].lower()
            self.status = int(head[9:12])
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\r\n", 1)[0])
            self._parts = [whole[end + 4 :]]
            self._missing = length - len(self._parts[0])
        else:
            self._parts.append(data)
            self._missing -= len(data)
        if self._missing <= 0 and self._waiting is not None and not self._waiting.done():
            self.body = b"".join(self._parts)
            self._waiting.set_result(self.status)

    def close(self) -> None:
        self._transport.close()


async def connect(address: str) -> Connection:
    parts = urlsplit(address)
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(Connection, parts.hostname, parts.port)
    return made


async def once(address: str, whole: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    connection = await connect(address)
    try:
        return await connection.ask(whole), connection.body
    finally:
        connection.close()


async def closed_loop(
    address: str, bodies: Sequence[bytes], connections: int, seconds: float
) -> Measured:
    """Each connection sends its next request when it has its answer."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    links = [await connect(address) for _ in range(connections)]
    started = time.perf_counter()

    async def run(link: Connection, at: int) -> None:
        while True:
            sent = time.perf_counter()
            if sent - started > seconds:
                return
            status = await link.ask(bodies[at % len(bodies)])
            latencies.append(time.perf_counter() - sent)
            statuses[status] = statuses.get(status, 0) + 1
            at += 1

    await asyncio.gather(*(run(link, i * 31) for i, link in enumerate(links)))
    took = time.perf_counter() - started
    for link in links:
        link.close()
    return Measured(sorted(latencies), statuses, took)


async def open_loop(
    address: str, bodies: Sequence[bytes], per_second: float, seconds: float, most: int = 256
) -> Measured:
    """Requests leave at their times whatever the answers do; latency counts from those times."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    free = deque([await connect(address) for _ in range(most)])
    waiting: deque[asyncio.Future[None]] = deque()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()

    async def run(number: int, intended: float) -> None:
        while not free:
            turn = loop.create_future()
            waiting.append(turn)
            await turn
        link = free.popleft()
        status = await link.ask(bodies[number % len(bodies)])
        latencies.append(time.perf_counter() - intended)
        statuses[status] = statuses.get(status, 0) + 1
        free.append(link)
        if waiting:
            waiting.popleft().set_result(None)

    tasks = []
    for number in range(int(per_second * seconds)):
        intended = started + number / per_second
        left = intended - time.perf_counter()
        if left > 0:
            await asyncio.sleep(left)
        tasks.append(asyncio.create_task(run(number, intended)))
    await asyncio.gather(*tasks)
    took = time.perf_counter() - started
    for link in free:
        link.close()
    return Measured(sorted(latencies), statuses, took)
