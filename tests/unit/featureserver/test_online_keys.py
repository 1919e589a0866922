import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from featureserver.keys import belongs, escape, key_space, key_suffix
from registry.core.definitions import JoinKey
from registry.kernel.errors import Invalid
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
