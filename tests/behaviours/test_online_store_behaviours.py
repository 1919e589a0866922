"""What every online store must do, run on the one in memory and on a real Redis."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from featureserver.keys import key_space
from featureserver.ports import OnlineStore
from featureserver.rows import pack
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import temporary_redis_store
from registry.core.published import RowSchema
from registry.testing import NOON, feature, view

VIEW = view("stats", [feature("rate")], {"id": "string"})


@pytest.fixture(scope="module", params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[OnlineStore]:
    if request.param == "memory":
        yield InMemoryOnlineStore()
        return
    with temporary_redis_store() as made:
        yield made


@pytest.fixture
def key(request: pytest.FixtureRequest) -> bytes:
    return key_of(request.node.name)


def key_of(entity: str, made=VIEW) -> bytes:
    (found,) = key_space(made).keys({"id": [entity]})
    assert found is not None
    return found


def row(rate: float, minutes: int = 0, created: int | None = None, version: int = 1) -> bytes:
    schema = RowSchema(version, (("rate", "float64"),))
    made = None if created is None else NOON + timedelta(minutes=created)
    return pack(schema, {"rate": rate}, NOON + timedelta(minutes=minutes), made)


def test_what_was_written_is_read_in_the_order_asked_for(store):
    keys = [key_of(f"order {i}") for i in range(3)]
    assert store.write(keys[:2], [row(0), row(1)]) == 2
    assert store.read([keys[1], keys[2], keys[0], keys[1]]) == [row(1), None, row(0), row(1)]


def test_reading_no_keys_gives_nothing(store):
    assert store.read([]) == []


def test_a_newer_event_replaces_and_an_older_one_does_not(store, key):
    assert store.write([key], [row(1)]) == 1
    assert store.write([key], [row(2, minutes=1)]) == 1
    assert store.write([key], [row(3, minutes=-1, created=99)]) == 0
    assert store.read([key]) == [row(2, minutes=1)]


def test_a_correction_with_the_same_event_time_and_a_later_creation_wins(store, key):
    store.write([key], [row(1, created=0)])
    assert store.write([key], [row(2, created=5)]) == 1
    assert store.write([key], [row(3, created=4)]) == 0
    assert store.read([key]) == [row(2, created=5)]


def test_a_row_created_at_its_event_time_is_as_new_in_either_layout(store, key):
    plain = row(1)
    doubled = b"\x01" + plain[1:11] + plain[3:11] + plain[11:]
    assert store.write([key], [doubled]) == 1
    assert store.write([key], [plain]) == 0
    assert store.write([key], [row(2, created=1)]) == 1
    assert store.write([key], [doubled]) == 0
    assert store.write([key], [row(3, minutes=1)]) == 1
    assert store.write([key], [row(4, created=99)]) == 0


@pytest.mark.parametrize("old", [b"", b"x", b"\x02" * 10, b"\x01" * 18, b"\x07" * 40])
def test_what_has_no_header_of_a_row_is_replaced_by_any_row(store, key, old):
    store.write([key], [old], rewrite=True)
    assert store.write([key], [row(1)]) == 1
    assert store.read([key]) == [row(1)]


def test_the_same_times_again_change_nothing_unless_the_row_schema_is_newer(store, key):
    store.write([key], [row(1)])
    assert store.write([key], [row(9)]) == 0
    assert store.write([key], [row(2, version=2)]) == 1
    assert store.read([key]) == [row(2, version=2)]


def test_times_are_compared_exactly_far_from_1970(store, key):
    far = NOON.replace(year=9998)
    schema = RowSchema(1, (("rate", "float64"),))
    one = pack(schema, {"rate": 1.0}, far)
    next_microsecond = pack(schema, {"rate": 2.0}, far + timedelta(microseconds=1))
    before_1970 = pack(schema, {"rate": 3.0}, NOON.replace(year=2))
    store.write([key], [before_1970])
    assert store.write([key], [one]) == 1
    assert store.write([key], [next_microsecond]) == 1
    assert store.write([key, key], [before_1970, one]) == 0


def test_the_newest_of_one_batch_stays_whatever_its_place(store, key):
    store.write([key] * 3, [row(1, minutes=1), row(2, minutes=2), row(0)])
    assert store.read([key]) == [row(2, minutes=2)]


def test_rewrite_sets_an_older_row(store, key):
    store.write([key], [row(1, minutes=1)])
    assert store.write([key], [row(0)], rewrite=True) == 1
    assert store.read([key]) == [row(0)]


def test_a_broken_value_is_replaced(store, key):
    store.write([key], [row(1)[:7]], rewrite=True)
    assert store.write([key], [row(2)]) == 1
    assert store.read([key]) == [row(2)]


def test_one_generation_is_counted_and_deleted_alone(store):
    second = view("stats*", [feature("rate")], {"id": "string"}, generation=2)
    mine = [key_of(f"gen {i}", second) for i in range(5)]
    other = key_of("gen 0", view("stats*x", [feature("rate")], {"id": "string"}, generation=2))
    store.write([*mine, other], [row(1)] * 6)
    assert store.count_generation("test", "stats*", 2) == 5
    assert store.delete_generation("test", "stats*", 2) == 5
    assert store.count_generation("test", "stats*", 2) == 0
    assert store.read([mine[0], other]) == [None, row(1)]


def test_more_rows_than_one_script_call_takes_are_all_written(store):
    keys = [key_of(f"many {i}") for i in range(2000)]
    assert store.write(keys, [row(i) for i in range(2000)]) == 2000
    assert store.read(keys)[1999] == row(1999)


def test_rows_are_counted_by_view_and_generation_within_one_namespace(store):
    here = view("of", [feature("rate")], {"id": "string"}, namespace="count", line=2, generation=3)
    next_door = view("of", [feature("rate")], {"id": "string"}, namespace="count/more")
    for made, entities in ((here, ["a", "b}", "~"]), (next_door, ["a"])):
        store.write([key_of(entity, made) for entity in entities], [row(1)] * len(entities))
    assert store.generations("count") == {("of@2", 3): 3}
    assert store.generations("count/more") == {("of", 1): 1}
    parts = list(store.keys_of("count", "of@2", 3))
    assert {key for part in parts for key in part} == {key_of(e, here) for e in ("a", "b}", "~")}


def test_notes_are_kept_by_namespace_and_the_first_of_two_writers_stays(store):
    store.write_note("notes", "one", b"1")
    store.write_note("notes", "one", b"2")
    assert store.add_note("notes", "two", b"a")
    assert not store.add_note("notes", "two", b"b")
    assert dict(store.notes("notes")) == {"one": b"2", "two": b"a"}
    store.drop_note("notes", "one")
    store.drop_note("notes", "one")
    assert dict(store.notes("notes")) == {"two": b"a"}
    assert dict(store.notes("elsewhere")) == {}
    assert store.generations("notes") == {}
