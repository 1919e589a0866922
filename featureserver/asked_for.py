"""What the headers of a lookup ask for, read once per request. Pure."""

import itertools
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from featureserver.compression import wants_gzip
from featureserver.http_errors import WrongMethod, WrongType
from featureserver.service import WholeRequest

ARROW_TYPE = b"application/vnd.apache.arrow.stream"
_ARROW = ARROW_TYPE.decode()
_TRUE = frozenset({"true", "1", "yes", "on"})
_CALLER = re.compile(r"[A-Za-z0-9._:@/-]{1,100}", re.ASCII)
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
_own_ids = itertools.count(1)
_own_prefix = uuid.uuid4().hex[:12].encode()


class AskedFor(msgspec.Struct, frozen=True, gc=False):
    """`caller` is who asks, by its own word: the header Fieldhouse-Caller, else the first word of
    User-Agent, else "(unnamed)"."""

    caller: str
    arrow: bool
    gzip: bool
    encoding: bytes
    feast_answers: bool


def request_id(headers: Mapping[str, str]) -> bytes:
    """The caller's X-Request-Id where it has a sound one, else a new one."""
    given = headers.get("x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.encode()
    return b"%s-%d" % (_own_prefix, next(_own_ids))


def read_headers(request: WholeRequest, feast_answers: bool) -> AskedFor:
    """Raises `WrongMethod` or `WrongType`. `feast_answers` is what the server's settings say."""
    if request.method != "POST":
        raise WrongMethod(f"{request.path} takes POST, not {request.method}")
    given = request.headers.get
    return _asked_for(
        given("content-type"),
        given("accept", ""),
        given("accept-encoding", ""),
        given("content-encoding", ""),
        given("fieldhouse-feast-answers"),
        given("fieldhouse-caller") or given("user-agent", "").partition(" ")[0],
        request.local,
        feast_answers,
    )


# The same client sends the same headers again and again.
@lru_cache(maxsize=128)
def _asked_for(
    content: str | None,
    accept: str,
    accepted: str,
    encoding: str,
    wish: str | None,
    caller: str,
    local: bool,
    feast_answers: bool,
) -> AskedFor:
    if content is not None and "json" not in content.lower():
        raise WrongType(f"the body is {content!r}", hint="send application/json")
    return AskedFor(
        caller=caller if _CALLER.fullmatch(caller) else "(unnamed)",
        arrow=_ARROW in accept,
        gzip="gzip" in accepted and wants_gzip(accepted.encode("latin-1"), local),
        encoding=encoding.encode("latin-1"),
        feast_answers=feast_answers if wish is None else wish.strip().lower() in _TRUE,
    )
