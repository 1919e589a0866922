"""Rows and keys are readable from their page alone: by `tests.online_reader`, no kin of ours."""

import uuid
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from featureserver.instants import micros_of
from featureserver.keys import key_space
from featureserver.rows import pack, unpack
from registry.core.published import RowSchema
from registry.kernel.errors import Corrupt
from registry.testing import feature, view
from tests.online_reader import Unreadable, hash_slot, read_key, read_row
from tests.property.test_rows_read_back import INSTANTS, schema_and_rows

AT = datetime(2013, 10, 1, tzinfo=UTC)
KEYS = {
    "string": st.text(max_size=200),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "float64": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=200) | st.sampled_from([b"}", b"~}{", b"~1", b"~0~1", b"{}"]),
    "timestamp": INSTANTS,
    "uuid": st.uuids(),
}


def plain(dtype, wire):
    """A wire value as the page names it: UUIDs as their 16 bytes in hexadecimal."""
    if wire is None:
        return None
    if "<" in dtype:
        return [plain(dtype.partition("<")[2][:-1], item) for item in wire]
    return uuid.UUID(wire).hex if dtype == "uuid" else wire


def read_by_us(schema, raw):
    row = unpack({schema.version: schema}, raw)
    return {name: plain(dtype, row.wire[name]) for name, dtype in schema.columns}


@settings(deadline=None)
@given(schema_and_rows(), INSTANTS, INSTANTS)
def test_an_outsider_reads_every_row_as_we_do(made, event, created):
    schema, rows = made
    for row in rows:
        raw = pack(schema, row, event, created)
        found = read_row({1: schema.columns}, raw)
        assert (found["event"], found["created"]) == (micros_of(event), micros_of(created))
        assert repr(sorted(found["values"].items())) == repr(
            sorted(read_by_us(schema, raw).items())
        )


@settings(deadline=None, max_examples=200)
@given(schema_and_rows(most=1), st.data())
def test_an_outsider_finds_corrupt_what_we_find_corrupt(made, data):
    schema, (row,) = made
    changed = bytearray(pack(schema, row, AT))
    if data.draw(st.booleans()):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    else:
        del changed[data.draw(st.integers(0, len(changed) - 1)) :]
    try:
        ours = read_by_us(schema, bytes(changed))
    except Corrupt:
        ours = None
    try:
        theirs = read_row({1: schema.columns}, bytes(changed))["values"]
    except Unreadable:
        theirs = None
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert repr(sorted(ours.items())) == repr(sorted(theirs.items()))


@settings(deadline=None)
@given(st.data())
def test_an_outsider_reads_every_past_schema(data):
    old = RowSchema(1, (("a", "int64"), ("gone", "string")))
    new = RowSchema(2, (("a", "int64"), ("b", "list<float32>")))
    schemas = {1: old.columns, 2: new.columns}
    number = data.draw(st.integers(-9, 9))
    assert read_row(schemas, pack(old, {"a": number, "gone": "x"}, AT))["values"] == {
        "a": number,
        "gone": "x",
    }
    assert read_row(schemas, pack(new, {"a": number, "b": [0.5]}, AT))["values"] == {
        "a": number,
        "b": [0.5],
    }


@settings(deadline=None)
@given(st.data())
def test_keys_read_back_and_all_views_of_an_entity_share_a_slot_whatever_bytes_it_has(data):
    dtypes = data.draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3))
    names = {f"k{i}": dtype for i, dtype in enumerate(dtypes)}
    values = {name: [data.draw(KEYS[dtype])] for name, dtype in names.items()}
    more = {"key_format": data.draw(st.sampled_from([1, 2]))}
    (one,) = key_space(view("v", [feature("f")], names, **more)).keys(values)
    (two,) = key_space(view("w", [feature("f")], names, line=2, generation=7, **more)).keys(values)
    assert one is not None
    assert two is not None
    assert hash_slot(one) == hash_slot(two)
    found, place, generation = read_key(two, dtypes, more["key_format"])
    assert (place, generation) == ("test/w@2", 7)
    assert found == [as_read(dtype, values[name][0]) for name, dtype in names.items()]


def as_read(dtype, value):
    if dtype == "timestamp":
        return micros_of(value)
    return value.hex if dtype == "uuid" else value


def test_the_clusters_slots_are_computed_as_its_specification_does():
    assert hash_slot(b"123456789") == 0x31C3 % 16384
    assert hash_slot(b"{user1000}.following") == hash_slot(b"{user1000}.followers")
    assert hash_slot(b"foo{}{bar}") == hash_slot(b"foo{}{bar}")
