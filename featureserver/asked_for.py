"""What the headers of a lookup ask for, read once per request. Pure."""

import itertools
import re
import uuid
from collections.abc import MutableMapping
from typing import Any

import msgspec

from featureserver.compression import wants_gzip
from featureserver.http_errors import WrongMethod, WrongType

ARROW_TYPE = b"application/vnd.apache.arrow.stream"
_TRUE = frozenset({b"true", b"1", b"yes", b"on"})
_CALLER = re.compile(rb"[A-Za-z0-9._:@/-]{1,100}")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,200}")
_LOOPBACK = ("127.", "::1", "::ffff:127.")
_own_ids = itertools.count(1)
_own_prefix = uuid.uuid4().hex[:12].encode()


class AskedFor(msgspec.Struct, frozen=True, gc=False):
    """`caller` is who asks, by its own word."""

    caller: str
    arrow: bool
    gzip: bool
    encoding: bytes
    feast_answers: bool


def request_id(headers: MutableMapping[bytes, bytes]) -> bytes:
    """The caller's X-Request-Id where it has a sound one, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given if _REQUEST_ID.fullmatch(given) else b"%s-%d" % (_own_prefix, next(_own_ids))


def read_headers(
    scope: MutableMapping[str, Any], headers: dict[bytes, bytes], feast_answers: bool
) -> AskedFor:
    """Raises `WrongMethod` or `WrongType`. `feast_answers` is what the server's settings say."""
    if scope["method"] != "POST":
        raise WrongMethod(f"/get-online-features takes POST, not {scope['method']}")
    content = headers.get(b"content-type")
    if content is not None and b"json" not in content.lower():
        raise WrongType(f"the body is {content.decode('latin-1')!r}", hint="send application/json")
    accepted = headers.get(b"accept-encoding", b"")
    wish = headers.get(b"fieldhouse-feast-answers")
    return AskedFor(
        caller=caller_of(headers),
        arrow=ARROW_TYPE in headers.get(b"accept", b""),
        gzip=b"gzip" in accepted and wants_gzip(accepted, is_local(scope)),
        encoding=headers.get(b"content-encoding", b""),
        feast_answers=feast_answers if wish is None else wish.strip().lower() in _TRUE,
    )


def caller_of(headers: MutableMapping[bytes, bytes]) -> str:
    """The header Fieldhouse-Caller, else the first word of User-Agent, else "(unnamed)"."""
    given = headers.get(b"fieldhouse-caller") or headers.get(b"user-agent", b"").partition(b" ")[0]
    return given.decode() if _CALLER.fullmatch(given) else "(unnamed)"


def is_local(scope: MutableMapping[str, Any]) -> bool:
    """Whether the caller is on this machine: a Unix socket, or a loopback address."""
    client = scope.get("client")
    return not client or not client[0] or str(client[0]).startswith(_LOOPBACK)
