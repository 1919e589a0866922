"""Request and response bodies: size limits and the two compressions that clients use."""

import gzip
import zlib

from registry.kernel.errors import Invalid

_COMPRESS_FROM_BYTES = 1400


class TooLarge(Invalid):
    """The body is larger than this server takes."""


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes", hint="send fewer rows per request")


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. `encoding` is a Content-Encoding; deflate means zlib framing.

    Raises `TooLarge` before more than `limit` bytes are held, `Invalid` for other encodings.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise Invalid(f"Content-Encoding {encoding!r} is not known", "known: gzip, deflate")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not {encoding}", str(error)) from error
    if len(plain) > limit:
        raise too_large(limit)
    if not inflater.eof:
        raise Invalid(f"the {encoding} body is cut short")
    return plain


def deflate(body: bytes, accepted: str) -> tuple[bytes, str]:
    """The body and its Content-Encoding: compressed when it is asked for and worth it."""
    if len(body) < _COMPRESS_FROM_BYTES:
        return body, ""
    if "gzip" in accepted:
        return gzip.compress(body, 1), "gzip"
    if "deflate" in accepted:
        return zlib.compress(body, 1), "deflate"
    return body, ""
