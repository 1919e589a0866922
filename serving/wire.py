"""A small HTTP/1.1 client for one kept-alive connection over TCP or a Unix socket.

For measuring and probing: it adds microseconds, knows no redirects, and answers once per request.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

Address = str | tuple[str, int]
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def encode_request(
    method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of one request, for sending many times."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Connection:
    """One connection, for one thread. Every wait may raise `OSError`."""

    def __init__(self, address: Address, timeout_seconds: float = 30.0) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_seconds)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        if family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        return self.send(encode_request(method, path, body, headers))

    def send(self, request: bytes) -> Reply:
        """Send an encoded request and read its answer, which must carry a Content-Length."""
        self._socket.sendall(request)
        data = self._receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        status, headers = _read_head(data[:end])
        wanted = end + 4 + int(headers.get("content-length", "0"))
        parts, size = [data], len(data)
        while size < wanted:
            parts.append(self._receive())
            size += len(parts[-1])
        return Reply(status, headers, b"".join(parts)[end + 4 :])

    def _receive(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}
