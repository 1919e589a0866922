"""How values become text and bytes in the database: msgspec JSON, zlib where it is long."""

import zlib
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from registry.kernel.clock import parse_instant
from registry.kernel.errors import Corrupt

T = TypeVar("T")


def to_text(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def from_text(text: str, kind: type[T], what: str) -> T:
    """Read a stored value back; raises `Corrupt` naming `what` when it is not one."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Corrupt(f"the stored {what} cannot be read", str(error)) from error


def to_blob(value: Any) -> bytes:
    return zlib.compress(msgspec.json.encode(value, order="deterministic"), 6)


def from_blob(blob: bytes, kind: type[T], what: str) -> T:
    """The inverse of `to_blob`; raises `Corrupt` naming `what`."""
    try:
        return msgspec.json.decode(zlib.decompress(blob), type=kind)
    except (zlib.error, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Corrupt(f"the stored {what} cannot be read", str(error)) from error


def instant_text(instant: datetime) -> str:
    """Fixed width, so that text order is time order."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_of(text: str) -> datetime:
    return parse_instant(text)
