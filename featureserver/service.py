"""What whole requests and their answers are, and a service that takes them. No I/O here."""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

import msgspec

Header = tuple[bytes, bytes]
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class WholeRequest(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One request. Names of headers are lower case, the last of one name counts; `body` None means
    that it is larger than the service takes; `local` that the caller is on this machine."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    query: bytes = b""
    local: bool = True


class Answer(Protocol):
    """What a service gives: header names and values are checked by it, not by who writes them."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...

    @property
    def headers(self) -> tuple[Header, ...]: ...


class Reply(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An `Answer`; its content-length is written by who sends it."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()


class Service(Protocol):
    """Answers requests, each whole. `respond` never raises."""

    @property
    def max_body_bytes(self) -> int: ...

    def respond(self, request: WholeRequest) -> Coroutine[Any, Any, Answer]: ...


def is_local(host: str | None) -> bool:
    """Whether a caller of that address is on this machine; a Unix socket has none."""
    return not host or host.startswith(_LOOPBACK)
