"""Packed rows: one value per entity and view, byte by byte as `docs/online-format.md` says. Pure.

`pack` and `unpack` here are the plain reading of that page. `columns` packs and `decoders` reads
many rows at once; tests hold them equal to these two.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from featureserver.instants import check_micros, instant_of, micros_of
from featureserver.values import (
    CODES,
    bitmap_bytes,
    cut,
    decoder,
    encoder,
    from_wire,
    null_bitmap,
    pack_ends,
    read_bitmap,
    to_wire,
)
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt, Invalid

LAYOUT = 1
HEADER = struct.Struct("<BHqq")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column of a row schema lies. Indexes count the schema's columns from 0.

    `head` reads everything but the variable data: layout, schema version, event and created time,
    null bits (5 fields), then the fixed-width columns, then where each variable column ends.
    """

    schema: RowSchema
    fixed: tuple[int, ...]
    variable: tuple[int, ...]
    head: struct.Struct

    @property
    def bitmap_bytes(self) -> int:
        return bitmap_bytes(len(self.schema.columns))

    def field_of(self, column: int) -> int:
        """The index among `head`'s fields of a column: its value if fixed, else its end."""
        if column in self.fixed:
            return 5 + self.fixed.index(column)
        return 5 + len(self.fixed) + self.variable.index(column)


@lru_cache(maxsize=1024)
def layout_of(schema: RowSchema) -> Layout:
    """The layout of a row schema. Fixed-width columns come first, without padding."""
    dtypes = [dtype for _, dtype in schema.columns]
    fixed = tuple(i for i, dtype in enumerate(dtypes) if dtype in CODES)
    variable = tuple(i for i, dtype in enumerate(dtypes) if dtype not in CODES)
    codes = "".join(CODES[dtypes[i]] for i in fixed)
    head = struct.Struct(f"{HEADER.format}{bitmap_bytes(len(dtypes))}s{codes}{len(variable)}I")
    return Layout(schema, fixed, variable, head)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read: its schema version, both times (UTC), its wire values by column."""

    schema_version: int
    event: datetime
    created: datetime
    wire: Mapping[str, Any]

    def values(self, schema: RowSchema) -> dict[str, Any]:
        """The Python values by column, None for null."""
        return {
            name: None if self.wire[name] is None else (from_wire(dtype) or _same)(self.wire[name])
            for name, dtype in schema.columns
        }


def pack(
    schema: RowSchema, values: Mapping[str, Any], event: datetime, created: datetime | None = None
) -> bytes:
    """Pack Python values by column name; absent and None are null. `created` None means `event`.

    Raises `Invalid`, naming the column, for a value that is not of its column's type.
    """
    wire = {name: _wire(name, dtype, values.get(name)) for name, dtype in schema.columns}
    made = None if created is None else micros_of(created)
    return pack_wire(schema, wire, micros_of(event), made)


def pack_wire(
    schema: RowSchema, values: Mapping[str, Any], event: int, created: int | None = None
) -> bytes:
    """Pack wire values by column name; absent and None are null. Times are microseconds."""
    layout = layout_of(schema)
    wire = [values.get(name) for name, _ in schema.columns]
    parts = [
        b"" if wire[i] is None else encoder(schema.columns[i][1])(wire[i]) for i in layout.variable
    ]
    head = layout.head.pack(
        LAYOUT,
        schema.version,
        event,
        event if created is None else created,
        null_bitmap(wire),
        *(0 if wire[i] is None else wire[i] for i in layout.fixed),
        *(0 for _ in layout.variable),
    )
    body = head[: len(head) - 4 * len(parts)]
    return b"".join((body, pack_ends(parts), *parts))


def unpack(schemas: Mapping[int, RowSchema], raw: bytes) -> Row:
    """Read one row of any of the `schemas` (version to schema).

    Raises `Corrupt` when the bytes are cut short, too long, of an unknown layout or schema
    version, or hold something that no writer writes.
    """
    version = schema_version(raw)
    if version not in schemas:
        raise Corrupt(f"a row is of schema version {version}", f"known: {sorted(schemas)}")
    layout = layout_of(schemas[version])
    if len(raw) < layout.head.size:
        raise Corrupt("a row is cut short", f"{len(raw)} of at least {layout.head.size} bytes")
    _, _, event, created, bitmap, *rest = layout.head.unpack_from(raw)
    check_micros((event, created))
    nulls = read_bitmap(bitmap, len(layout.schema.columns))
    found = dict(zip(layout.fixed, rest, strict=False))
    pieces = cut(raw, layout.head.size, rest[len(layout.fixed) :])
    found.update(zip(layout.variable, pieces, strict=True))
    wire = {
        name: None if nulls >> i & 1 else _read(dtype, found[i])
        for i, (name, dtype) in enumerate(layout.schema.columns)
    }
    return Row(version, instant_of(event), instant_of(created), wire)


def schema_version(raw: bytes) -> int:
    """The schema version in a row's header; raises `Corrupt` when there is no such header."""
    if len(raw) < HEADER.size:
        raise Corrupt("a row is cut short", f"{len(raw)} of at least {HEADER.size} bytes")
    if raw[0] != LAYOUT:
        raise Corrupt(f"a row is of layout {raw[0]}", f"known: {LAYOUT}")
    return raw[1] | raw[2] << 8


def _wire(name: str, dtype: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return to_wire(dtype)(value)
    except Invalid as error:
        raise Invalid(f"column {name!r}: {error.asked}", error.found, error.hint) from error


def _read(dtype: str, found: Any) -> Any:
    if dtype not in CODES:
        return decoder(dtype)(found)
    if dtype == "timestamp":
        check_micros((found,))
    return found


def _same(value: Any) -> Any:
    return value
