from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from featureserver.keys import belongs, escape, key_space, key_suffix, moved
from registry.core.definitions import JoinKey
from registry.kernel.errors import Corrupt, Invalid
from registry.testing import feature, view

ENTITIES = st.text() | st.sampled_from(["}", "~", "~1", "{}", "", "~0}"])


def keys_of(made_view, **columns):
    return key_space(made_view).keys(columns)


def one_key(dtype, value, name="v"):
    made = view(name, [feature("f")], {"id": dtype})
    return keys_of(made, id=[value])[0]


@settings(deadline=None)
@given(ENTITIES)
def test_all_views_of_one_entity_share_a_cluster_slot_whatever_its_bytes(entity):
    slots = {key_slot(one_key("string", entity, name)) for name in ("a", "b", "c")}
    assert len(slots) == 1


@settings(deadline=None)
@given(st.binary(), st.binary())
def test_escaping_keeps_different_entities_different_and_leaves_no_brace(one, other):
    assert (escape(one) == escape(other)) == (one == other)
    assert b"}" not in escape(one)


@settings(deadline=None)
@given(ENTITIES, ENTITIES, ENTITIES, ENTITIES)
def test_composite_keys_do_not_run_into_each_other(a, b, c, d):
    route = view("r", [feature("f")], {"origin": "string", "dest": "string"})
    first, second = keys_of(route, origin=[a, c], dest=[b, d])
    assert (first == second) == ((a, b) == (c, d))


def test_the_order_of_join_keys_in_the_definition_does_not_matter():
    there = view("r", [feature("f")], {"origin": "string", "dest": "string"})
    back = view("r", [feature("f")], {"dest": "string", "origin": "string"})
    columns = {"origin": ["JFK"], "dest": ["LAX"]}
    assert keys_of(there, **columns) == keys_of(back, **columns)


@settings(deadline=None)
@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_an_integer_is_as_short_as_its_value_and_no_two_are_alike(one, other):
    raw = one_key("int64", one)[1 : -len("}test/v.1")].replace(b"~1", b"}").replace(b"~0", b"~")
    size = next(n for n in range(9) if -(1 << 8 * n) <= 2 * one < max(1, 1 << 8 * n))
    assert raw == b"%d" % size + one.to_bytes(size, "little", signed=True)
    assert (one_key("int64", one) == one_key("int64", other)) == (one == other)


@settings(deadline=None)
@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)), st.sampled_from([1, 2]))
def test_many_integers_are_encoded_as_each_alone(values, key_format):
    made = view("v", [feature("f")], {"id": "int64"}, key_format=key_format)
    alone = [key_space(made).keys({"id": [one]})[0] for one in values]
    assert keys_of(made, id=values) == alone
    assert keys_of(made, id=[*values, None]) == [*alone, None]


PARTS = {
    "bool": st.booleans(),
    "bytes": st.binary(max_size=300),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=3),
    "float64": st.floats(allow_nan=False),
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "string": st.text(max_size=300),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "uuid": st.uuids(),
}


@settings(deadline=None)
@given(st.tuples(*PARTS.values()), st.sampled_from([1, 2]))
def test_a_key_of_either_format_moves_to_a_generation_of_the_newest(values, key_format):
    made = view("v", [feature("f")], {dtype: dtype for dtype in PARTS}, key_format=key_format)
    columns = {dtype: [value] for dtype, value in zip(PARTS, values, strict=True)}
    (key,) = keys_of(made, **columns)
    assert moved(key, key_suffix("test", "v", 2), True) == keys_of(made.at(2), **columns)[0]


@pytest.mark.parametrize("key", [b"{i\x00}test/v.1", b"{9}test/v.1", b"{s\xff}test/v.1"])
def test_a_key_that_cannot_be_read_is_not_moved(key):
    with pytest.raises(Corrupt):
        moved(key, key_suffix("test", "v", 2), True)


def test_an_integer_and_its_text_are_different_keys():
    assert one_key("int64", 1) != one_key("string", "1")


def test_a_null_in_any_part_gives_no_key():
    route = view("r", [feature("f")], {"origin": "string", "dest": "string"})
    first, second = keys_of(route, origin=["JFK", None], dest=["LAX", "LAX"])
    assert first is not None
    assert second is None


def test_a_key_names_view_line_generation_and_namespace():
    made = view("v", [feature("f")], {"id": "string"}, line=2, generation=3)
    assert keys_of(made, id=["a"]) == [b"{s\x01a}test/v@2.3"]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int64", "1"),
        ("int64", True),
        ("int64", 1.5),
        ("int64", 2**63),
        ("int32", 2**31),
        ("string", 1),
        ("string", "\ud800"),
        ("bool", 1),
        ("float64", float("nan")),
        ("timestamp", "yesterday"),
        ("uuid", "no"),
        ("bytes", "not base64!"),
        ("decimal", "1e500"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_keys_name(dtype, value):
    with pytest.raises(Invalid, match="join key 'id'"):
        one_key(dtype, value)


def test_types_that_cannot_be_keys_are_refused():
    with pytest.raises(Invalid, match="list<int64>"):
        view_key = JoinKey("id", "list<int64>")
        key_space(view("v", [feature("f")], {view_key.name: view_key.dtype}))


def test_a_key_belongs_to_its_own_generation_alone():
    suffix = key_suffix("test", "v", 1)
    assert belongs(one_key("string", "}test/v.1"), suffix)
    assert not belongs(b"{s\x01a}test/v.1}test/v.1", suffix)
    assert not belongs(b"{s\x01a}other/test/v.1", suffix)
