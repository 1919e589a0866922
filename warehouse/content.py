"""A hash of what an Arrow table says, whatever its layout. Pure: bytes in, digest out.

Equal content gives an equal hash however it is chunked, encoded (dictionaries, large or view
strings) or stored; that is why no engine takes it. Names, types, order of columns and rows, values
and nulls count. Each column is a few byte streams (validity, lengths, values), each one the plain
concatenation of its batches. A NaN is a NaN whatever its bits; 0.0 and -0.0 differ.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid
from warehouse.instants import UTC_NAMES

_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARY = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def content_hash(batches: Iterable[pa.RecordBatch], schema: pa.Schema | None = None) -> str:
    """`sha256:…` of a `RecordBatchReader`, or of any batches of one `schema`.

    Raises `Invalid` for an Arrow type it has no canonical bytes for (unions, run-ends).
    """
    found = schema if schema is not None else batches.schema  # type: ignore[attr-defined]
    content = ContentHash(found)
    for batch in batches:
        content.update(batch)
    return content.digest()


class ContentHash:
    """The hash of one table, fed batch by batch."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._names = schema.names
        self._columns = [_column(field.type) for field in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for name, column, array in zip(self._names, self._columns, batch.columns, strict=True):
            try:
                column.update(array)
            except pa.ArrowInvalid as error:  # times that microseconds cannot hold
                asked = f"cannot take the content hash of column {name!r}"
                raise Invalid(asked, str(error)) from error

    def digest(self) -> str:
        columns = [[n, c.facts()] for n, c in zip(self._names, self._columns, strict=True)]
        return digest({"rows": self.rows, "columns": columns})


class _Column(Protocol):
    def update(self, array: pa.Array) -> None: ...

    def facts(self) -> Any:
        """Canonical type and digests, as plain data."""
        ...


class _Fixed:
    """Values of one width, as little-endian bytes; zero where null."""

    def __init__(self, name: str, carrier: pa.DataType) -> None:
        self._name, self._carrier = name, carrier
        self._validity, self._values = hashlib.sha256(), hashlib.sha256()

    def update(self, array: pa.Array) -> None:
        self._validity.update(_valid_bytes(array))
        plain = _carried(_decoded(array), self._carrier)
        values = plain.to_numpy(zero_copy_only=False) if plain.null_count == 0 else _zeroed(plain)
        if values.dtype.kind == "f" and np.isnan(values).any():
            values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
        self._values.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())

    def facts(self) -> Any:
        return [self._name, self._validity.hexdigest(), self._values.hexdigest()]


class _Decimal:
    """Decimals as their 256-bit integers, so that the width chosen to hold them does not count."""

    def __init__(self, arrow: pa.DataType) -> None:
        self._name = f"decimal({arrow.scale})"
        self._carrier = pa.decimal256(76, arrow.scale)
        self._validity, self._values = hashlib.sha256(), hashlib.sha256()

    def update(self, array: pa.Array) -> None:
        self._validity.update(_valid_bytes(array))
        wide = _decoded(array).cast(self._carrier)
        if wide.null_count:
            wide = wide.fill_null(pa.scalar(0, pa.int64()).cast(self._carrier))
        start = wide.offset * 32
        self._values.update(memoryview(wide.buffers()[1])[start : start + len(wide) * 32])

    def facts(self) -> Any:
        return [self._name, self._validity.hexdigest(), self._values.hexdigest()]


class _Bytes:
    """Text and binary: a stream of lengths and one of the bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._validity, self._lengths, self._values = (hashlib.sha256() for _ in range(3))

    def update(self, array: pa.Array) -> None:
        self._validity.update(_valid_bytes(array))
        plain = _as_large_binary(_decoded(array))
        if plain.null_count:
            plain = plain.fill_null(b"")
        if len(plain) == 0:
            return
        ends = np.frombuffer(
            plain.buffers()[1], dtype=np.int64, count=plain.offset + len(plain) + 1
        )
        ends = ends[plain.offset :]
        self._lengths.update(np.diff(ends).astype("<i8").tobytes())
        data = plain.buffers()[2]
        if data is not None:
            self._values.update(memoryview(data)[int(ends[0]) : int(ends[-1])])

    def facts(self) -> Any:
        streams = (self._validity, self._lengths, self._values)
        return [self._name, *(stream.hexdigest() for stream in streams)]


class _List:
    """Lists: lengths, and the column of all elements."""

    def __init__(self, arrow: pa.DataType) -> None:
        self._carrier = pa.large_list(arrow.value_type)
        self._validity, self._lengths = hashlib.sha256(), hashlib.sha256()
        self._elements = _column(arrow.value_type)

    def update(self, array: pa.Array) -> None:
        self._validity.update(_valid_bytes(array))
        plain = array.cast(self._carrier)
        lengths = pc.list_value_length(plain).fill_null(0).to_numpy(zero_copy_only=False)
        self._lengths.update(lengths.astype("<i8").tobytes())
        self._elements.update(pc.list_flatten(plain))

    def facts(self) -> Any:
        lengths = self._lengths.hexdigest()
        return ["list", self._validity.hexdigest(), lengths, self._elements.facts()]


class _Struct:
    """Structs: a column a field, null where the struct is."""

    def __init__(self, arrow: pa.DataType) -> None:
        self._validity = hashlib.sha256()
        self._fields = [(field.name, _column(field.type)) for field in arrow]

    def update(self, array: pa.Array) -> None:
        self._validity.update(_valid_bytes(array))
        for (_, column), child in zip(self._fields, array.flatten(), strict=True):
            column.update(child)

    def facts(self) -> Any:
        fields = [[name, column.facts()] for name, column in self._fields]
        return ["struct", self._validity.hexdigest(), fields]


class _Null:
    def update(self, array: pa.Array) -> None:
        """The number of rows says it all."""

    def facts(self) -> Any:
        return ["null"]


class _Carried:
    """Values that are hashed as those of another type: maps as lists of pairs, an extension as what
    it stores."""

    def __init__(self, name: str, carrier: pa.DataType) -> None:
        self._name, self._carrier = name, carrier
        self._column = _column(carrier)

    def update(self, array: pa.Array) -> None:
        self._column.update(array.cast(self._carrier))

    def facts(self) -> Any:
        return [self._name, self._column.facts()]


def _column(arrow: pa.DataType) -> _Column:
    if pa.types.is_dictionary(arrow):
        return _column(arrow.value_type)
    if isinstance(arrow, pa.BaseExtensionType):
        return _Carried(f"extension {arrow.extension_name}", arrow.storage_type)
    if pa.types.is_map(arrow):
        pair = pa.struct([("key", arrow.key_type), ("value", arrow.item_type)])
        return _Carried("map", pa.large_list(pair))
    if pa.types.is_null(arrow):
        return _Null()
    if _any(_TEXT, arrow):
        return _Bytes("string")
    if _any(_BINARY, arrow):
        return _Bytes("binary")
    if pa.types.is_decimal(arrow):
        return _Decimal(arrow)
    if _any(_LISTS, arrow):
        return _List(arrow)
    if pa.types.is_struct(arrow):
        return _Struct(arrow)
    return _Fixed(*_fixed(arrow))


def _fixed(arrow: pa.DataType) -> tuple[str, pa.DataType]:
    """The canonical name of a fixed-width type, and the type its values are carried in."""
    if pa.types.is_timestamp(arrow):
        unit = "ns" if arrow.unit == "ns" else "us"
        zone = "UTC" if arrow.tz in UTC_NAMES else arrow.tz
        return f"timestamp[{unit}, {zone}]", pa.timestamp(unit, tz=arrow.tz)
    if pa.types.is_date(arrow):
        return "date", pa.date32()
    if pa.types.is_time(arrow):
        return "time", pa.time64("ns")
    if pa.types.is_duration(arrow):
        return f"duration[{arrow.unit}]", arrow
    if pa.types.is_boolean(arrow):
        return "bool", pa.uint8()
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow):
        return str(arrow), arrow
    raise Invalid(
        f"cannot take the content hash of Arrow type {arrow}", hint="convert the column to a struct"
    )


def _carried(array: pa.Array, carrier: pa.DataType) -> pa.Array:
    plain = array.cast(carrier)
    if pa.types.is_date(carrier):
        return plain.cast(pa.int32())
    temporal = (pa.types.is_timestamp, pa.types.is_time, pa.types.is_duration)
    return plain.cast(pa.int64()) if _any(temporal, carrier) else plain


def _zeroed(array: pa.Array) -> Any:
    return array.fill_null(0).to_numpy(zero_copy_only=False)


def _decoded(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _as_large_binary(array: pa.Array) -> pa.Array:
    if _any(_TEXT, array.type):
        array = array.cast(pa.large_string())
    return array.cast(pa.large_binary())


def _valid_bytes(array: pa.Array) -> bytes:
    """One byte a row. Not bits: a batch may end in the middle of eight."""
    plain = _decoded(array)  # a dictionary may hold a null of its own
    return bytes(plain.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes())


def _any(tests: Iterable[Any], arrow: pa.DataType) -> bool:
    return any(test(arrow) for test in tests)
