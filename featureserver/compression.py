"""Bodies in gzip, in and out. Pure.

Over a network gzip pays; on the same machine it only costs time. Many HTTP libraries offer it
unasked, so a caller on the same machine gets it when gzip is the only coding it names.
"""

import gzip
import zlib

from featureserver.http_errors import WrongEncoding, too_large
from registry.kernel.errors import Invalid

LEAST_BYTES = 1024
_LEVEL = 1


def unpacked(body: bytes, encoding: bytes, most: int) -> bytes:
    """The body as it was before `Content-Encoding`. Raises `WrongEncoding`, `Invalid` or `TooLarge`
    (before more than `most` bytes are held)."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    if name not in (b"gzip", b"x-gzip"):
        raise WrongEncoding(
            f"the body is encoded as {encoding.decode('latin-1')!r}", hint="send gzip, or none"
        )
    reader = zlib.decompressobj(wbits=31)
    try:
        whole = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise Invalid("the body is not gzip", str(error)) from error
    if len(whole) > most:
        raise too_large(most)
    if not reader.eof:
        raise Invalid("the body is not gzip", "it is cut short")
    return whole


def packed(body: bytes) -> bytes:
    """The body in gzip, fast rather than small."""
    return gzip.compress(body, _LEVEL, mtime=0)


def wants_gzip(accepted: bytes, local: bool) -> bool:
    """Whether to answer in gzip. `local` callers must name it alone."""
    names = {}
    for part in accepted.lower().split(b","):
        name, _, weight = part.partition(b";")
        names[name.strip()] = weight.replace(b" ", b"")
    if names.get(b"gzip", b"q=0") in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"):
        return False
    return not local or set(names) <= {b"gzip", b"identity"}
