"""One text for one value: canonical JSON and the digests taken from it."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; the same on every machine and Python version.

    `value` holds dicts, lists, tuples, strings, ints, finite floats, bools and None. NaN and
    infinities raise ValueError.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_bytes(data: bytes) -> str:
    """`sha256:` and the 64 hex digits of the SHA-256 of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """The digest of a value's canonical JSON."""
    return digest_bytes(canonical_json(value).encode())


def short(full_digest: str, length: int = 12) -> str:
    """The first hex digits of a digest, for people."""
    return full_digest.removeprefix("sha256:")[:length]
