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
from featureserver.values import from_wire, to_wire
from featureserver.wire_bytes import (
    CODES,
    bitmap_bytes,
    cut,
    decoder,
    encoder,
    null_bitmap,
    pack_ends,
    read_bitmap,
)
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt, Invalid

WITH_CREATED, PLAIN = 1, 2
"""The layouts of a row: with a created time of its own, or created at its event time."""

_HEADERS = {WITH_CREATED: struct.Struct("<BHqq"), PLAIN: struct.Struct("<BHq")}
_CREATED = slice(11, 19)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column of a row schema lies. Indexes count the schema's columns from 0.

    `head` reads everything but the variable data: layout, schema version, event time, created time
    (`WITH_CREATED` only), null bits: `before` fields. Then the fixed-width columns, then where
    each variable column ends.
    """

    number: int
    schema: RowSchema
    fixed: tuple[int, ...]
    variable: tuple[int, ...]
    head: struct.Struct

    @property
    def start(self) -> bytes:
        """What every row of this layout and schema starts with."""
        return struct.pack("<BH", self.number, self.schema.version)

    @property
    def before(self) -> int:
        """How many of `head`'s fields come before the columns."""
        return 5 if self.number == WITH_CREATED else 4

    @property
    def bitmap_at(self) -> int:
        """The offset of the null bits."""
        return _HEADERS[self.number].size

    @property
    def bitmap_bytes(self) -> int:
        return bitmap_bytes(len(self.schema.columns))

    def field_of(self, column: int) -> int:
        """The index among `head`'s fields of a column: its value if fixed, else its end."""
        if column in self.fixed:
            return self.before + self.fixed.index(column)
        return self.before + len(self.fixed) + self.variable.index(column)


@lru_cache(maxsize=2048)
def layout_of(schema: RowSchema, number: int = WITH_CREATED) -> Layout:
    """The layout of a row schema. Fixed-width columns come first, without padding."""
    dtypes = [dtype for _, dtype in schema.columns]
    fixed = tuple(i for i, dtype in enumerate(dtypes) if dtype in CODES)
    variable = tuple(i for i, dtype in enumerate(dtypes) if dtype not in CODES)
    codes = "".join(CODES[dtypes[i]] for i in fixed)
    start = _HEADERS[number].format
    head = struct.Struct(f"{start}{bitmap_bytes(len(dtypes))}s{codes}{len(variable)}I")
    return Layout(number, schema, fixed, variable, head)


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

    A row that was created at its event time is `PLAIN`, which spares eight bytes.

    Raises `Invalid`, naming the column, for a value that is not of its column's type.
    """
    wire = {name: _wire(name, dtype, values.get(name)) for name, dtype in schema.columns}
    made = None if created is None else micros_of(created)
    return pack_wire(schema, wire, micros_of(event), made)


def pack_wire(
    schema: RowSchema, values: Mapping[str, Any], event: int, created: int | None = None
) -> bytes:
    """Pack wire values by column name; absent and None are null. Times are microseconds."""
    times = (event,) if created is None or created == event else (event, created)
    layout = layout_of(schema, PLAIN if len(times) == 1 else WITH_CREATED)
    wire = [values.get(name) for name, _ in schema.columns]
    parts = [
        b"" if wire[i] is None else encoder(schema.columns[i][1])(wire[i]) for i in layout.variable
    ]
    head = layout.head.pack(
        layout.number,
        schema.version,
        *times,
        null_bitmap(wire),
        *(0 if wire[i] is None else wire[i] for i in layout.fixed),
        *(0 for _ in layout.variable),
    )
    body = head[: len(head) - 4 * len(parts)]
    return b"".join((body, pack_ends(parts), *parts))


def without_created(row: bytes) -> bytes:
    """A `WITH_CREATED` row whose created time is its event time, in the `PLAIN` layout."""
    return bytes((PLAIN,)) + row[1 : _CREATED.start] + row[_CREATED.stop :]


def unpack(schemas: Mapping[int, RowSchema], raw: bytes) -> Row:
    """Read one row of any of the `schemas` (version to schema).

    Raises `Corrupt` when the bytes are cut short, too long, of an unknown layout or schema
    version, or hold something that no writer writes.
    """
    layout = _layout_in(schemas, raw)
    if len(raw) < layout.head.size:
        raise Corrupt("a row is cut short", f"{len(raw)} of at least {layout.head.size} bytes")
    fields = layout.head.unpack_from(raw)
    _, version, *times, bitmap = fields[: layout.before]
    rest = fields[layout.before :]
    check_micros(times)
    nulls = read_bitmap(bitmap, len(layout.schema.columns))
    found = dict(zip(layout.fixed, rest, strict=False))
    pieces = cut(raw, layout.head.size, rest[len(layout.fixed) :])
    found.update(zip(layout.variable, pieces, strict=True))
    wire = {
        name: None if nulls >> i & 1 else _read(dtype, found[i])
        for i, (name, dtype) in enumerate(layout.schema.columns)
    }
    return Row(version, instant_of(times[0]), instant_of(times[-1]), wire)


def times_of(raw: bytes) -> tuple[int, int] | None:
    """Event and created time in microseconds; None when the header is not that of a row."""
    header = _HEADERS.get(raw[0]) if raw else None
    if header is None or len(raw) < header.size:
        return None
    times = header.unpack_from(raw)[2:]
    return times[0], times[-1]


def _layout_in(schemas: Mapping[int, RowSchema], raw: bytes) -> Layout:
    if len(raw) < 3:
        raise Corrupt("a row is cut short", f"{len(raw)} bytes")
    number, version = raw[0], raw[1] | raw[2] << 8
    if number not in _HEADERS:
        raise Corrupt(f"a row is of layout {number}", f"known: {sorted(_HEADERS)}")
    if version not in schemas:
        raise Corrupt(f"a row is of schema version {version}", f"known: {sorted(schemas)}")
    return layout_of(schemas[version], number)


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
