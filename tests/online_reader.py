"""A reader of online keys and rows written from docs/online-format.md alone. Uses nothing of ours.

It is what an outsider would write: slow, plain, and strict where the page says that bytes are
corrupt.
"""

import json
import re
import struct
from collections.abc import Sequence
from typing import Any

FIXED = {"bool": 1, "int32": 4, "int64": 8, "float32": 4, "float64": 8, "timestamp": 8}
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999, microseconds


class Unreadable(Exception):
    """The bytes are corrupt as the page has it."""


def read_row(schemas: dict[int, Sequence[tuple[str, str]]], raw: bytes) -> dict[str, Any]:
    """Event and created time (microseconds) under "event" and "created", values under "values"."""
    _need(raw[:1] in (b"\1", b"\2"))
    start = 19 if raw[0] == 1 else 11
    _need(len(raw) >= start)
    version = int.from_bytes(raw[1:3], "little")
    _need(version in schemas)
    columns = schemas[version]
    event = _instant(raw[3:11])
    created = _instant(raw[11:19]) if raw[0] == 1 else event
    at = start + (len(columns) + 7) // 8
    nulls = _nulls(raw[start:at], len(columns))
    found: dict[str, Any] = {}
    for i, (name, dtype) in enumerate(columns):
        if dtype in FIXED:
            piece = _take(raw, at, FIXED[dtype])
            found[name] = None if nulls[i] else _fixed(dtype, piece)
            at += FIXED[dtype]
    variable = [(i, *column) for i, column in enumerate(columns) if column[1] not in FIXED]
    ends = [_u32(_take(raw, at + 4 * k, 4)) for k in range(len(variable))]
    start = at + 4 * len(variable)
    for (i, name, dtype), piece in zip(variable, _cut(raw[start:], ends), strict=True):
        found[name] = None if nulls[i] else _variable(dtype, piece)
    return {"event": event, "created": created, "values": found}


def read_key(key: bytes, dtypes: Sequence[str], key_format: int = 2) -> tuple[list[Any], str, int]:
    """The values of the join keys (in the order of their names), what follows, the generation."""
    entity, _, rest = key[1:].partition(b"}")
    entity = entity.replace(b"~1", b"}").replace(b"~0", b"~")
    values = []
    for dtype in dtypes:
        value, entity = _key_value(dtype, entity, key_format)
        values.append(value)
    _need(not entity)
    place, _, generation = rest.decode().rpartition(".")
    return values, place, int(generation)


def hash_slot(key: bytes) -> int:
    """The slot of Redis Cluster, as its specification has it."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    tag = key[start + 1 : end] if start >= 0 and end > start + 1 else key
    crc = 0
    for byte in tag:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % 16384


def _key_value(dtype: str, raw: bytes, key_format: int) -> tuple[Any, bytes]:
    tag, rest = raw[:1], raw[1:]
    if dtype in ("int32", "int64") and key_format == 2:
        _need(tag in tuple(b"%d" % n for n in range(9)))
        size = int(tag)
        return int.from_bytes(_take(rest, 0, size), "little", signed=True), rest[size:]
    if dtype in ("int32", "int64") or dtype == "timestamp":
        _need(tag == (b"T" if dtype == "timestamp" else b"i"))
        return struct.unpack("<q", _take(rest, 0, 8))[0], rest[8:]
    if dtype in ("float32", "float64"):
        _need(tag == b"f")
        return struct.unpack("<d", _take(rest, 0, 8))[0], rest[8:]
    if dtype == "bool":
        _need(tag == b"t" and rest[:1] in (b"\0", b"\1"))
        return rest[:1] == b"\1", rest[1:]
    if dtype == "uuid":
        _need(tag == b"u")
        return _take(rest, 0, 16).hex(), rest[16:]
    _need(tag == {"string": b"s", "bytes": b"b", "decimal": b"d"}[dtype])
    size = shift = 0
    while True:
        byte, rest = _take(rest, 0, 1)[0], rest[1:]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    whole = _take(rest, 0, size)
    return whole if dtype == "bytes" else whole.decode(), rest[size:]


def _fixed(dtype: str, raw: bytes) -> Any:
    if dtype == "bool":
        return raw != b"\0"
    if dtype == "timestamp":
        return _instant(raw)
    code = {"int32": "<i", "int64": "<q", "float32": "<f", "float64": "<d"}[dtype]
    return struct.unpack(code, raw)[0]


def _variable(dtype: str, raw: bytes) -> Any:
    nested = re.fullmatch(r"(?:list|set)<(.+)>", dtype)
    if nested:
        return _list(nested[1], raw)
    if dtype == "bytes":
        return raw
    if dtype == "uuid":
        _need(len(raw) == 16)
        return raw.hex()
    text = _text(raw)
    if dtype == "decimal":
        _need(re.fullmatch(r"-?[0-9]{1,90}(\.[0-9]{1,90})?", text))
    if dtype not in ("map", "struct"):
        return text
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Unreadable from error
    _need(isinstance(found, dict))
    return found


def _list(dtype: str, raw: bytes) -> list[Any]:
    count = _u32(_take(raw, 0, 4))
    at = 4 + (count + 7) // 8
    _need(len(raw) >= at)
    nulls = _nulls(raw[4:at], count)
    if dtype in FIXED:
        size = FIXED[dtype]
        _need(len(raw) == at + count * size)
        pieces = [raw[at + i * size : at + (i + 1) * size] for i in range(count)]
        return [None if null else _fixed(dtype, p) for null, p in zip(nulls, pieces, strict=True)]
    ends = [_u32(_take(raw, at + 4 * i, 4)) for i in range(count)]
    pieces = _cut(raw[at + 4 * count :], ends)
    return [None if null else _variable(dtype, p) for null, p in zip(nulls, pieces, strict=True)]


def _cut(raw: bytes, ends: Sequence[int]) -> list[bytes]:
    starts = [0, *ends][: len(ends)]
    _need(all(start <= end for start, end in zip(starts, ends, strict=True)))
    _need(len(raw) == (ends[-1] if ends else 0))
    return [raw[start:end] for start, end in zip(starts, ends, strict=True)]


def _nulls(raw: bytes, count: int) -> list[bool]:
    _need(len(raw) == (count + 7) // 8)
    bits = [bool(raw[i // 8] >> i % 8 & 1) for i in range(8 * len(raw))]
    _need(not any(bits[count:]))
    return bits[:count]


def _instant(raw: bytes) -> int:
    micros: int = struct.unpack("<q", raw)[0]
    _need(FIRST <= micros <= LAST)
    return micros


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable from error


def _take(raw: bytes, at: int, size: int) -> bytes:
    _need(len(raw) >= at + size)
    return raw[at : at + size]


def _u32(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _need(holds: object) -> None:
    if not holds:
        raise Unreadable
