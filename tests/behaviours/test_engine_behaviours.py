"""What every warehouse engine must answer of joins and rows, DuckDB and the plain one alike."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import FieldhouseError, Invalid, Misuse, NotFound
from registry.testing import feature, view
from tests.plain_engine import Make
from tests.warehouses import hour, hours, source
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED


def history(ids: list[Any], at: pa.Array, values: list[Any], **more: Any) -> pa.Table:
    return pa.table({"id": ids, "at": at, "value": pa.array(values, pa.float64()), **more})


def spine(ids: list[Any], at: pa.Array, **more: Any) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "t": at, **more})


VIEW = view("readings", [feature("value")], source=source("readings"))
LATE = view("readings", [feature("value")], source=source("readings", created=True))


def values(answer: pa.Table, name: str = "value") -> list[Any]:
    return answer.column(name).to_pylist()


def test_the_newest_row_at_or_before_each_time_is_found(make: Make) -> None:
    engine = make(readings=history([1, 1, 2], hours(1, 3, 2), [10, 30, 20]))
    answer = engine.as_of(spine([1, 1, 1, 2], hours(0, 2, 3, 9)), "t", VIEW, ["value"])
    assert values(answer) == [None, 10, 30, 20]
    assert values(answer, EVENT_TIME) == hours(None, 1, 3, 2).to_pylist()


def test_every_row_comes_out_once_and_in_order(make: Make) -> None:
    engine = make(readings=history([1, 2], hours(1, 1), [10, 20]))
    rows = spine([2, 1, None, 2, 2, 7, 1], hours(5, 5, 5, None, 5, 5, 0))
    answer = engine.as_of(rows, "t", VIEW, ["value"])
    assert values(answer) == [20, 10, None, None, 20, None, None]


def test_a_value_counts_until_exactly_its_ttl(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    short = view("readings", [feature("value")], source=source("readings"), ttl_seconds=3600)
    rows = spine([1, 1, 1], hours(2, 2.001, 0))
    answer = engine.as_of(rows, "t", short, ["value"], with_expired=True)
    assert values(answer) == [10, None, None]
    assert values(answer, EXPIRED) == [False, True, False]


def test_a_row_created_late_reaches_no_earlier_row(make: Make) -> None:
    engine = make(readings=history([1, 1], hours(1, 2), [10, 20], known_at=hours(1, 6)))
    answer = engine.as_of(spine([1, 1], hours(5, 6)), "t", LATE, ["value"])
    assert values(answer) == [10, 20]
    assert values(answer, CREATED_TIME) == hours(1, 6).to_pylist()


def test_a_late_correction_does_not_hide_a_newer_event(make: Make) -> None:
    late = history([1, 1, 1], hours(1, 3, 1), [10, 30, 11], known_at=hours(1, 3, 8))
    answer = make(readings=late).as_of(spine([1, 1], hours(2, 9)), "t", LATE, ["value"])
    assert values(answer) == [10, 30]


def test_of_one_event_the_row_created_last_counts(make: Make) -> None:
    late = history([1, 1, 1], hours(1, 1, 1), [10, 12, 11], known_at=hours(2, 4, 3))
    answer = make(readings=late).as_of(spine([1, 1, 1], hours(2, 3, 4)), "t", LATE, ["value"])
    assert values(answer) == [10, 11, 12]


def test_a_full_tie_is_broken_by_the_values_whatever_the_order(make: Make) -> None:
    for order in ([5, 7, None], [7, None, 5], [None, 5, 7]):
        engine = make(readings=history([1, 1, 1], hours(1, 1, 1), order))
        assert values(engine.as_of(spine([1], hours(2)), "t", VIEW, ["value"])) == [7]


def test_a_declared_column_breaks_ties_before_the_values_do(make: Make) -> None:
    past = history([1, 1, 1], hours(1, 1, 1), [9, 5, 7], version=[1, 3, None])
    declared = view(
        "readings", [feature("value")], source=source("readings", tie_breaker="version")
    )
    engine = make(readings=past)
    assert values(engine.as_of(spine([1], hours(2)), "t", declared, ["value"])) == [5]
    assert newest(engine.latest(declared, since=None, until=hour(2))) == {1: 5}


def test_as_of_an_instant_what_was_known_then_counts_for_every_row(make: Make) -> None:
    late = history([1, 1], hours(1, 1), [10, 11], known_at=hours(2, 8))
    rows = spine([1, 1], hours(1, 9))
    answer = make(readings=late).as_of(rows, "t", LATE, ["value"], as_of=hour(7))
    assert values(answer) == [10, 10]


def test_as_of_an_instant_needs_created_times(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    with pytest.raises(Invalid, match="does not say when its rows were created"):
        engine.as_of(spine([1], hours(2)), "t", VIEW, ["value"], as_of=hour(3))


def test_a_row_whose_created_time_is_unknown_was_known_at_its_event(make: Make) -> None:
    late = history([1], hours(1), [10], known_at=hours(None))
    answer = make(readings=late).as_of(spine([1], hours(1)), "t", LATE, ["value"])
    assert values(answer) == [10]
    assert values(answer, CREATED_TIME) == [hour(1)]


def test_rows_without_a_key_or_time_are_never_found(make: Make) -> None:
    engine = make(readings=history([None, 1, 1], hours(1, None, 1), [5, 6, 7]))
    answer = engine.as_of(spine([None, 1], hours(2, 2)), "t", VIEW, ["value"])
    assert values(answer) == [None, 7]


def test_a_composite_key_matches_in_all_its_parts(make: Make) -> None:
    table = pa.table(
        {"a": ["1", "11", "1"], "b": ["11", "1", None], "at": hours(1, 1, 1), "value": [1.0, 2, 3]}
    )
    pairs = view("pairs", [feature("value")], {"a": "string", "b": "string"}, source("pairs"))
    rows = pa.table({"a": ["11", "1", "1"], "b": ["1", "11", None], "t": hours(2, 2, 2)})
    assert values(make(pairs=table).as_of(rows, "t", pairs, ["value"])) == [2, 1, None]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.uint16(), pa.int64()])
def test_whole_number_keys_of_unlike_width_match(make: Make, kind: pa.DataType) -> None:
    engine = make(readings=history([1, 2], hours(1, 1), [10, 20]))
    rows = pa.table({"id": pa.array([2, 1], kind), "t": hours(2, 2)})
    assert values(engine.as_of(rows, "t", VIEW, ["value"])) == [20, 10]


def test_a_key_that_no_int64_holds_is_nobodys(make: Make) -> None:
    engine = make(readings=history([1, 2**63 - 1], hours(1, 1), [10, 20]))
    rows = pa.table({"id": pa.array([2**64 - 1, 2**63 - 1], pa.uint64()), "t": hours(2, 2)})
    assert values(engine.as_of(rows, "t", VIEW, ["value"])) == [None, 20]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_keys_match_however_they_are_held(make: Make, kind: pa.DataType) -> None:
    table = pa.table(
        {"name": pa.array(["a", "b"]).cast(kind), "at": hours(1, 1), "value": [1.0, 2]}
    )
    named = view("named", [feature("value")], {"name": "string"}, source("named"))
    for held in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        rows = pa.table({"name": pa.array(["b", "c", "a"]).cast(held), "t": hours(2, 2, 2)})
        assert values(make(named=table).as_of(rows, "t", named, ["value"])) == [2, None, 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_unlike_units_are_compared_as_instants(make: Make, unit: str) -> None:
    past = history([1, 1], hours(1, 3).cast(pa.timestamp(unit, "UTC")), [10, 30])
    for other in ("s", "ms", "us", "ns"):
        rows = spine([1, 1, 1], hours(1, 2, 3).cast(pa.timestamp(other, "Asia/Tokyo")))
        answer = make(readings=past).as_of(rows, "t", VIEW, ["value"])
        assert values(answer) == [10, 10, 30]


def test_keys_that_lie_far_apart_are_kept_apart(make: Make) -> None:
    far = [-(2**63), -1, 0, 2**63 - 1]
    engine = make(readings=history(far, hours(1, 1, 1, 1), [1, 2, 3, 4]))
    rows = spine([*reversed(far), 5], hours(2, 2, 2, 2, 2))
    assert values(engine.as_of(rows, "t", VIEW, ["value"])) == [4, 3, 2, 1, None]


def test_times_that_lie_far_apart_are_kept_apart(make: Make) -> None:
    ages = pa.array([-(10**15), 0, 10**15, 10**16], pa.int64()).cast(pa.timestamp("us", "UTC"))
    engine = make(readings=history([1, 1, 1, 10**12], ages, [1, 2, 3, 4]))
    rows = spine([1, 1, 1, 10**12, 10**12], ages.take(pa.array([0, 1, 3, 3, 2])))
    assert values(engine.as_of(rows, "t", VIEW, ["value"])) == [1, 2, 3, 4, None]


def test_a_view_may_be_hundreds_of_features_wide(make: Make) -> None:
    names = [f"f{place}" for place in range(300)]
    table = pa.table({"id": [1], "at": hours(1), **{n: [float(p)] for p, n in enumerate(names)}})
    wide = view("wide", [feature(name) for name in names], source=source("wide"))
    answer = make(wide=table).as_of(spine([2, 1], hours(2, 2)), "t", wide, names)
    assert answer.column_names == [*names, EVENT_TIME, CREATED_TIME]
    assert answer.select(names).to_pylist()[1] == {n: float(p) for p, n in enumerate(names)}


def test_small_numbers_decimals_and_instants_come_as_declared(make: Make) -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "at": hours(1, 1),
            "small": pa.array([7, None], pa.int16()),
            "price": pa.array([Decimal("1.250000001"), None], pa.decimal128(38, 9)),
            "seen": hours(0.5, None),
            "half": pa.array([0.5, None], pa.float32()),
        }
    )
    kinds = {"small": "int64", "price": "decimal", "seen": "timestamp", "half": "float64"}
    typed = view("typed", [feature(n, kind) for n, kind in kinds.items()], source=source("typed"))
    answer = make(typed=table).as_of(spine([2, 1], hours(2, 2)), "t", typed, list(kinds))
    expected = {"small": 7, "price": Decimal("1.250000001"), "seen": hour(0.5), "half": 0.5}
    assert answer.select(list(kinds)).to_pylist() == [dict.fromkeys(kinds), expected]


def test_names_may_be_anything(make: Make) -> None:
    odd = ['we"ird', "value_y", "pos", "k0", "select", "rn", "Umlaut ü"]
    columns = {name: [float(place)] for place, name in enumerate(odd)}
    table = pa.table({"slot": ["x"], "event": hours(1), **columns})
    anything = view(
        "odd",
        [feature(name) for name in odd],
        {"slot": "string"},
        source("odd", timestamp_field="event"),
    )
    rows = pa.table({"slot": ["x", "y"], "created": hours(2, 2)})
    answer = make(odd=table).as_of(rows, "created", anything, odd)
    assert answer.column_names == [*odd, EVENT_TIME, CREATED_TIME]
    assert answer.slice(0, 1).select(odd).to_pylist() == [{n: float(p) for p, n in enumerate(odd)}]


def test_fields_are_mapped_from_the_names_of_the_source(make: Make) -> None:
    table = pa.table({"ident": [1], "happened": hours(1), "raw": [4.5]})
    mapping = {"ident": "id", "raw": "value", "happened": "at"}
    mapped = view("readings", [feature("value")], source=source("readings", mapping=mapping))
    answer = make(readings=table).as_of(spine([1], hours(2)), "t", mapped, ["value"])
    assert values(answer) == [4.5]


def test_big_whole_numbers_lists_and_text_stay_exact(make: Make) -> None:
    big = 2**53 + 1
    table = pa.table({"id": [1, 2], "at": hours(1, 1), "n": [big, None], "l": [[1, None], []]})
    exact = view(
        "exact", [feature("n", "int64"), feature("l", "list<int64>")], source=source("exact")
    )
    answer = make(exact=table).as_of(spine([2, 1, 3], hours(2, 2, 2)), "t", exact, ["l", "n"])
    assert values(answer, "n") == [None, big, None]
    assert values(answer, "l") == [[], [1, None], None]


def test_answers_have_the_declared_types(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    answer = engine.as_of(spine([1], hours(2)), "t", VIEW, ["value"])
    instant = pa.timestamp("us", tz="UTC")
    assert answer.schema.types == [pa.float64(), instant, instant]


def test_an_empty_history_and_an_empty_spine_are_no_trouble(make: Make) -> None:
    empty = history([1], hours(1), [10]).slice(0, 0)
    engine = make(readings=empty)
    assert values(engine.as_of(spine([1, 2], hours(1, 2)), "t", VIEW, ["value"])) == [None, None]
    assert engine.as_of(spine([], hours()), "t", VIEW, ["value"]).num_rows == 0


def test_no_features_still_give_the_times(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    answer = engine.as_of(spine([1], hours(2)), "t", VIEW, [])
    assert answer.to_pylist() == [{EVENT_TIME: hour(1), CREATED_TIME: hour(1)}]


def test_an_unknown_feature_is_answered_with_the_nearest(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    with pytest.raises(NotFound, match="nearest: value"):
        engine.as_of(spine([1], hours(2)), "t", VIEW, ["valeu"])


def test_a_missing_table_is_answered_with_the_nearest(make: Make) -> None:
    engine = make(reading=history([1], hours(1), [10]))
    with pytest.raises(NotFound, match="nearest: reading"):
        engine.as_of(spine([1], hours(2)), "t", VIEW, ["value"])


def test_a_pinned_source_is_read_from_its_file(make: Make, tmp_path: Path) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    place = next(tmp_path.glob("warehouse-*/warehouse_data"), tmp_path)  # where it may be read
    file = place / "pinned.parquet"
    pq.write_table(history([1], hours(1), [99]), file)
    pinned = engine.pinned({VIEW.source: file})
    assert values(pinned.as_of(spine([1], hours(2)), "t", VIEW, ["value"])) == [99]
    assert values(engine.as_of(spine([1], hours(2)), "t", VIEW, ["value"])) == [10]


def newest(answer: pa.RecordBatchReader) -> Mapping[Any, Any]:
    return {row["id"]: row["value"] for row in answer.read_all().to_pylist()}


def test_latest_gives_one_newest_row_a_key(make: Make) -> None:
    engine = make(readings=history([1, 1, 2, None], hours(1, 3, 2, 2), [10, 30, 20, 5]))
    assert newest(engine.latest(VIEW, since=None, until=hour(9))) == {1: 30, 2: 20}


def test_latest_is_blind_to_what_was_not_visible_until_then(make: Make) -> None:
    late = history([1, 1, 2], hours(1, 2, 8), [10, 20, 5], known_at=hours(1, 6, 8))
    engine = make(readings=late)
    assert newest(engine.latest(LATE, since=None, until=hour(5))) == {1: 10}
    assert newest(engine.latest(LATE, since=None, until=hour(6))) == {1: 20}


def test_latest_since_gives_only_what_became_visible_after(make: Make) -> None:
    late = history([1, 2, 3], hours(1, 1, 1), [10, 20, 30], known_at=hours(2, 3, 7))
    engine = make(readings=late)
    assert newest(engine.latest(LATE, since=hour(2), until=hour(7))) == {2: 20, 3: 30}


def test_latest_comes_in_the_order_of_the_join_keys(make: Make) -> None:
    engine = make(readings=history([3, 1, 10, 2], hours(1, 1, 1, 1), [1, 2, 3, 4]))
    table = engine.latest(VIEW, since=None, until=hour(9)).read_all()
    assert table.column("id").to_pylist() == [1, 2, 3, 10]


def test_latest_names_keys_features_and_times(make: Make) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    table = engine.latest(VIEW, since=None, until=hour(9)).read_all()
    assert table.column_names == ["id", "value", EVENT_TIME, CREATED_TIME]
    assert table.column(CREATED_TIME).to_pylist() == [hour(1)]


def test_windows_of_latest_cover_what_one_run_covers(make: Make) -> None:
    late = history([1, 1, 1], hours(1, 2, 3), [10, 20, 30], known_at=hours(5, 2, 4))
    engine = make(readings=late)
    whole = newest(engine.latest(LATE, since=None, until=hour(6)))
    steps = [engine.latest(LATE, since=hour(n), until=hour(n + 1)).read_all() for n in range(6)]
    rows = [row for step in steps for row in step.to_pylist()]
    assert {1: max(rows, key=lambda row: (row[EVENT_TIME], row[CREATED_TIME]))["value"]} == whole


def test_read_gives_a_source_as_it_is(make: Make) -> None:
    table = history([1, 2], hours(1, 2), [10, 20])
    with make(readings=table).read(VIEW.source, ["value", "id"]) as reader:
        assert reader.read_all().to_pydict() == {"value": [10, 20], "id": [1, 2]}


def test_rows_between_two_instants_are_given_both_ends_in(make: Make) -> None:
    engine = make(readings=history([1, 2, 3, 4], hours(1, 2, 3, None), [10, 20, 30, 40]))
    found = engine.rows_between(VIEW.source, ["value", "id"], "at", hour(1), hour(2))
    assert sorted(found.to_pylist(), key=str) == [{"value": 10, "id": 1}, {"value": 20, "id": 2}]
    naive = hour(2).replace(tzinfo=None)
    assert engine.rows_between(VIEW.source, ["id"], "at", naive, None).num_rows == 2


def test_of_rows_between_two_instants_the_newest_of_each_key_is_given(make: Make) -> None:
    late = history([1, 1, 2, 2], hours(1, 2, 1, 1), [1, 2, 3, 4], known_at=hours(9, 3, 5, None))
    engine = make(readings=late)
    asked = {"newest_by": ["at", "known_at"]}
    each = engine.rows_between(
        LATE.source, ["value"], "at", None, hour(2), newest_of=["id"], **asked
    )
    assert sorted(values(each)) == [2, 3]
    one = engine.rows_between(LATE.source, ["value"], "at", None, hour(1), newest_of=[], **asked)
    assert values(one) == [1]


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ({"idd": [1], "t": hours(2)}, Misuse, "no column 'id'"),
        ({"id": [1], "tt": hours(2)}, Misuse, "no column 't'"),
        ({"id": [1], "t": ["2013-01-01"]}, Invalid, "must hold times"),
        ({"id": ["1"], "t": hours(2)}, Invalid, "join key 'id' is string"),
        ({"id": [1.5], "t": hours(2)}, Invalid, "cannot be read as int64"),
    ],
)
def test_a_spine_that_cannot_be_joined_is_refused_in_words(
    make: Make, rows: dict[str, Any], error: type[FieldhouseError], words: str
) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    with pytest.raises(error, match=words):
        engine.as_of(pa.table(rows), "t", VIEW, ["value"])


def test_appended_rows_are_read_with_the_others_and_once_however_often_they_come(
    make: Make,
) -> None:
    engine = make(readings=history([1], hours(1), [10]))
    more = history([1, 2], hours(3, 2), [30, 20])
    assert engine.append(VIEW.source, more, "pushed-1")
    assert not engine.append(VIEW.source, more, "pushed-1")
    assert newest(engine.latest(VIEW, since=None, until=hour(9))) == {1: 30, 2: 20}
    with engine.read(VIEW.source) as batches:
        assert sum(batch.num_rows for batch in batches) == 3


def test_rows_can_be_appended_to_a_table_that_is_not_there_yet(make: Make) -> None:
    engine = make(other=history([1], hours(1), [10]))
    assert engine.append(VIEW.source, history([1], hours(1), [10]), "first")
    assert newest(engine.latest(VIEW, since=None, until=hour(9))) == {1: 10}
