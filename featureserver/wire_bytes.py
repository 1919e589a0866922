"""Wire values (`values`) to the bytes of a row and back, by feature type. Pure."""

import re
import struct
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from featureserver.instants import check_micros
from featureserver.json_text import dump_json, load_json
from registry.kernel.errors import Corrupt, Invalid
from registry.kernel.types import element_type

CODES = {"bool": "?", "int32": "i", "int64": "q", "float32": "f", "float64": "d", "timestamp": "q"}
_COUNT = struct.Struct("<I")
_DECIMAL = re.compile(rb"-?[0-9]{1,90}(\.[0-9]{1,90})?")


@lru_cache(maxsize=256)
def encoder(dtype: str) -> Callable[[Any], bytes]:
    """Wire value of a type of variable length to its bytes in a row."""
    inner = element_type(dtype)
    if inner is None:
        return _ENCODE[dtype]
    return _fixed_list_encoder(inner) if inner in CODES else _list_encoder(inner)


@lru_cache(maxsize=256)
def decoder(dtype: str) -> Callable[[bytes], Any]:
    """Bytes in a row to the wire value; raises `Corrupt` when they are not what `encoder` made."""
    inner = element_type(dtype)
    if inner is None:
        return _DECODE[dtype]
    return _fixed_list_decoder(inner) if inner in CODES else _list_decoder(inner)


def null_bitmap(values: Sequence[Any]) -> bytes:
    """One bit a value, the lowest bit of the first byte first; 1 means null."""
    bits = 0
    for index, value in enumerate(values):
        if value is None:
            bits |= 1 << index
    return bits.to_bytes(bitmap_bytes(len(values)), "little")


def bitmap_bytes(count: int) -> int:
    """How many bytes the null bits of `count` values take."""
    return (count + 7) // 8


def read_bitmap(raw: bytes, count: int) -> int:
    """The null bits as one integer; raises `Corrupt` when bits beyond `count` are set."""
    bits = int.from_bytes(raw, "little")
    if bits >> count:
        raise Corrupt("the null bits name columns that are not there")
    return bits


def pack_ends(parts: Sequence[bytes]) -> bytes:
    """Where each part ends, counted from the start of the first one, as u32."""
    ends, total = [], 0
    for part in parts:
        total += len(part)
        ends.append(total)
    return struct.pack(f"<{len(ends)}I", *ends)


def cut(raw: bytes, data: int, ends: Sequence[int]) -> list[bytes]:
    """The parts that start at `data` and end at `ends`; raises `Corrupt` unless they fill `raw`."""
    pieces, start = [], 0
    for end in ends:
        if end < start:
            raise Corrupt("the parts of a row overlap")
        pieces.append(raw[data + start : data + end])
        start = end
    if data + start != len(raw):
        raise Corrupt("a row is not as long as it says")
    return pieces


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Corrupt("text in a row is not UTF-8") from error


def _read_object(raw: bytes) -> dict[str, Any]:
    try:
        found = load_json(raw)
    except Invalid as error:
        raise Corrupt("an object in a row is not JSON") from error
    if not isinstance(found, dict):
        raise Corrupt("an object in a row is another kind of JSON")
    return found


def _read_decimal(raw: bytes) -> str:
    if not _DECIMAL.fullmatch(raw):
        raise Corrupt("a decimal in a row is not a number")
    return raw.decode()


def _read_uuid(raw: bytes) -> str:
    if len(raw) != 16:
        raise Corrupt("a UUID in a row is not 16 bytes long")
    return str(uuid.UUID(bytes=raw))


def _split_list(raw: bytes) -> tuple[int, int, int]:
    """Count, null bits and where the elements start."""
    if len(raw) < 4:
        raise Corrupt("a list in a row is cut short")
    count = _COUNT.unpack_from(raw)[0]
    start = 4 + bitmap_bytes(count)
    if len(raw) < start:
        raise Corrupt("a list in a row is cut short")
    return count, read_bitmap(raw[4:start], count), start


def _fixed_list_encoder(inner: str) -> Callable[[Any], bytes]:
    code = CODES[inner]

    def encode(values: Sequence[Any]) -> bytes:
        head = _COUNT.pack(len(values)) + null_bitmap(values)
        filled = [0 if value is None else value for value in values]
        return head + struct.pack(f"<{len(filled)}{code}", *filled)

    return encode


def _fixed_list_decoder(inner: str) -> Callable[[bytes], Any]:
    code = CODES[inner]
    width = struct.calcsize(f"<{code}")

    def decode(raw: bytes) -> list[Any]:
        count, nulls, start = _split_list(raw)
        if len(raw) != start + count * width:
            raise Corrupt("a list in a row is not as long as it says")
        values: list[Any] = list(struct.unpack_from(f"<{count}{code}", raw, start))
        if inner == "timestamp":
            check_micros(values)
        return _with_nulls(values, nulls) if nulls else values

    return decode


def _list_encoder(inner: str) -> Callable[[Any], bytes]:
    encode_one = encoder(inner)

    def encode(values: Sequence[Any]) -> bytes:
        parts = [b"" if value is None else encode_one(value) for value in values]
        return b"".join(
            (_COUNT.pack(len(parts)), null_bitmap(values), pack_ends(parts), *parts),
        )

    return encode


def _list_decoder(inner: str) -> Callable[[bytes], Any]:
    decode_one = decoder(inner)

    def decode(raw: bytes) -> list[Any]:
        count, nulls, start = _split_list(raw)
        data = start + 4 * count
        if len(raw) < data:
            raise Corrupt("a list in a row is cut short")
        ends = struct.unpack_from(f"<{count}I", raw, start)
        pieces = cut(raw, data, ends)
        return [None if nulls >> i & 1 else decode_one(p) for i, p in enumerate(pieces)]

    return decode


def _with_nulls(values: list[Any], nulls: int) -> list[Any]:
    return [None if nulls >> index & 1 else value for index, value in enumerate(values)]


_ENCODE: dict[str, Callable[[Any], bytes]] = {
    "string": str.encode,
    "bytes": bytes,
    "decimal": str.encode,
    "uuid": lambda text: uuid.UUID(text).bytes,
    "json": str.encode,
    "map": lambda found: dump_json(found).encode(),
    "struct": lambda found: dump_json(found).encode(),
}
_DECODE: dict[str, Callable[[bytes], Any]] = {
    "string": _text,
    "bytes": bytes,
    "decimal": _read_decimal,
    "uuid": _read_uuid,
    "json": _text,
    "map": _read_object,
    "struct": _read_object,
}
