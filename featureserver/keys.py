"""Online keys: bytes that name one entity in one generation of one view. Pure.

    { entity } namespace / view key . generation

The entity part is the Redis Cluster hash tag, so that all views of one entity share a slot. It is
escaped (`~` to `~0`, `}` to `~1`), so whatever bytes an entity has, the tag ends where it should.
`docs/online-format.md` describes every byte.
"""

import base64
import math
import operator
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from featureserver.instants import micros_of, read_instant
from featureserver.values import plain_decimal
from registry.core.definitions import JoinKey
from registry.core.published import PublishedView
from registry.kernel.errors import Invalid

_INT64 = struct.Struct("<cq")
_FLOAT64 = struct.Struct("<cd")
_SHORT = tuple(bytes((n,)) for n in range(128))

Encoder = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of one generation of one view. `names` are its join keys, sorted."""

    names: tuple[str, ...]
    encoders: tuple[Encoder, ...]
    suffix: bytes

    @property
    def entity(self) -> tuple[tuple[str, ...], tuple[Encoder, ...]]:
        """Equal for views whose keys start alike for the same entities."""
        return self.names, self.encoders

    def keys(self, columns: Mapping[str, Sequence[Any]]) -> list[bytes | None]:
        """One key per row of `columns` (join key to values); None where a part of the key is null.

        Raises `Invalid` naming the join key when a value is not of its type.
        """
        suffix = self.suffix
        return [None if one is None else one + suffix for one in self.entities(columns)]

    def entities(self, columns: Mapping[str, Sequence[Any]]) -> list[bytes | None]:
        """What the keys of all views of these entities start with: `{` and the escaped entity."""
        if len(self.names) == 1:
            parts = self._encoded(0, columns[self.names[0]])
        else:
            each = [self._encoded(i, columns[name]) for i, name in enumerate(self.names)]
            parts = [None if None in row else b"".join(row) for row in zip(*each, strict=True)]
        return [None if part is None else b"{" + escape(part) for part in parts]

    def _encoded(self, index: int, values: Sequence[Any]) -> list[bytes | None]:
        encode = self.encoders[index]
        try:
            if encode is _encode_int64 and set(map(type, values)) == {int}:
                return _encode_int64s(values)
            return [None if value is None else encode(value) for value in values]
        except Invalid as error:
            name = self.names[index]
            raise Invalid(f"join key {name!r}: {error.asked}", error.found, error.hint) from error


def key_space(view: PublishedView, generation: int | None = None) -> KeySpace:
    """The keys of a view's live generation, or of another one. A borrowed view is called
    `namespace/view`; its rows are where its own namespace writes them."""
    ordered = sorted(view.join_keys, key=lambda key: key.name)
    number = view.generation if generation is None else generation
    return KeySpace(
        tuple(key.name for key in ordered),
        tuple(encoder_of(key) for key in ordered),
        key_suffix(view.namespace, view.key.removeprefix(f"{view.namespace}/"), number),
    )


def key_suffix(namespace: str, view_key: str, generation: int) -> bytes:
    """What follows the entity in every key of a generation, its closing brace included."""
    return f"}}{namespace}/{view_key}.{generation}".encode()


def belongs(key: bytes, suffix: bytes) -> bool:
    """Whether `key` is of the generation that has `suffix`: the first `}` ends the entity."""
    end = key.find(b"}")
    return end > 0 and key[end:] == suffix


def parse_key(key: bytes, namespace: str) -> tuple[str, int] | None:
    """The view key and generation of an online key; None when it is not one of `namespace`.

    A view key has no `/`: what has one is of a namespace that begins alike.
    """
    end = key.find(b"}")
    prefix = f"}}{namespace}/".encode()
    if not key.startswith(b"{") or end < 0 or not key.startswith(prefix, end):
        return None
    view_key, dot, generation = key[end + len(prefix) :].rpartition(b".")
    if not dot or not generation.isdigit() or b"/" in view_key:
        return None
    return view_key.decode(), int(generation)


def escape(entity: bytes) -> bytes:
    """`entity` without any `}`; two different inputs never give the same output."""
    if b"}" in entity or b"~" in entity:
        return entity.replace(b"~", b"~0").replace(b"}", b"~1")
    return entity


def encoder_of(key: JoinKey) -> Encoder:
    """The encoder of a join key's type; raises `Invalid` for types that cannot be keys."""
    if key.dtype not in _ENCODERS:
        raise Invalid(
            f"join key {key.name!r} cannot be of type {key.dtype}",
            f"join keys may be {', '.join(_ENCODERS)}",
        )
    return _ENCODERS[key.dtype]


def _sized(tag: bytes, raw: bytes) -> bytes:
    size = len(raw)
    if size < 128:
        return tag + _SHORT[size] + raw
    length = bytearray()
    while size >= 128:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return tag + bytes(length) + raw


def _string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _wrong("a string", value)
    try:
        return _sized(b"s", value.encode())
    except UnicodeEncodeError as error:
        raise Invalid(f"{value!r} is not valid Unicode text") from error


def _integer(bits: int) -> Encoder:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def encode(value: Any) -> bytes:
        number = value if type(value) is int else _index(value)
        if not low <= number <= high:
            raise Invalid(f"{number} does not fit int{bits}")
        return _INT64.pack(b"i", number)

    return encode


def _encode_int64s(values: Sequence[int]) -> list[bytes | None]:
    """What `_encode_int64` gives for each, without a call of ours for each."""
    packed = _INT64.pack
    try:
        return [packed(b"i", value) for value in values]
    except struct.error:
        return [_encode_int64(value) for value in values]  # says which one does not fit


def _index(value: Any) -> int:
    if isinstance(value, bool):
        raise _wrong("an integer", value)
    try:
        return operator.index(value)
    except TypeError as error:
        raise _wrong("an integer", value) from error


def _bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise _wrong("true or false", value)
    return b"t\x01" if value else b"t\x00"


def _float(value: Any) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("a number", value)
    number = float(value)
    if math.isnan(number):
        raise _wrong("a number", value)
    return _FLOAT64.pack(b"f", number + 0.0)  # -0.0 and 0.0 are one key


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except ValueError as error:
            raise _wrong("bytes or base64 text", value) from error
    if not isinstance(value, bytes):
        raise _wrong("bytes", value)
    return _sized(b"b", value)


def _timestamp(value: Any) -> bytes:
    instant = read_instant(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise _wrong("an instant such as 2013-10-01T12:00:00Z", value)
    return _INT64.pack(b"T", micros_of(instant))


def _decimal(value: Any) -> bytes:
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        number = None
    if number is None or isinstance(value, bool) or not number.is_finite():
        raise _wrong("a decimal number", value)
    return _sized(b"d", plain_decimal(number).encode())


def _uuid(value: Any) -> bytes:
    try:
        return b"u" + uuid.UUID(str(value)).bytes
    except ValueError as error:
        raise _wrong("a UUID", value) from error


def _wrong(wanted: str, value: Any) -> Invalid:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Invalid(f"{shown} is not {wanted}", f"it is of type {type(value).__name__}")


_encode_int64 = _integer(64)
_ENCODERS: dict[str, Encoder] = {
    "string": _string,
    "int64": _encode_int64,
    "int32": _integer(32),
    "bool": _bool,
    "float32": _float,
    "float64": _float,
    "bytes": _bytes,
    "timestamp": _timestamp,
    "decimal": _decimal,
    "uuid": _uuid,
}
