from dataclasses import replace

import pytest

from featureserver.push import Pusher
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import lookup_over
from registry.core.definitions import Source
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Invalid, NotFound, Refused
from registry.testing import NOON, feature, published, view
from warehouse.testing import InMemoryEngine

BATCH = Source("trips", "table", table="trips", timestamp_field="at", created_field="made")
PUSHED = view(
    "live",
    [feature("rate"), feature("trips", "int64")],
    {"driver": "string"},
    source=Source("live_push", "push", batch=BATCH, field_mapping=(("r", "rate"),)),
)
STATE = published(PUSHED)
FRAME = {"driver": ["a"], "rate": [0.5], "trips": [7], "at": ["2013-10-01T11:00:00"]}


@pytest.fixture
def store():
    return InMemoryOnlineStore()


@pytest.fixture
def pusher(store):
    return Pusher(lambda: STATE, store)


def rate_of(store, driver="a"):
    (column,) = lookup_over(STATE, store).get(["live:rate"], {"driver": [driver]}).columns
    return column.values[0]


def test_a_push_is_seen_by_the_next_lookup_and_repeating_it_changes_nothing(pusher, store):
    assert pusher.push("live_push", FRAME).written == 1
    assert rate_of(store) == 0.5
    assert pusher.push("live_push", FRAME).written == 0


def test_an_older_push_does_not_replace_a_newer_one(pusher, store):
    pusher.push("live_push", FRAME)
    older = {**FRAME, "rate": [0.1], "at": ["2013-10-01T10:00:00Z"]}
    assert pusher.push("live_push", older).written == 0
    assert rate_of(store) == 0.5


def test_source_columns_are_mapped_and_surplus_ones_ignored(pusher, store):
    renamed = {n: v for n, v in FRAME.items() if n != "rate"}
    pusher.push("live_push", {**renamed, "r": [0.7], "else": [1]})
    assert rate_of(store) == 0.7


def test_a_view_is_written_by_name_with_feasts_column_names(pusher, store):
    frame = {n: v for n, v in FRAME.items() if n != "at"}
    at = {"event_timestamp": ["2013-10-01T11:00:00"], "created": [None]}
    assert pusher.write("live", {**frame, **at}).written == 1
    assert rate_of(store) == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trips": None}, "lacks trips"),
        ({"at": None}, "event time, 'at'"),
        ({"trips": [1, 2]}, "one length"),
        ({"trips": ["many"]}, "column 'trips'"),
        ({"driver": [None]}, "null"),
        ({"driver": [1]}, "join key 'driver'"),
        ({"at": ["yesterday"]}, "not an instant"),
        ({"at": [5]}, "not an instant"),
    ],
)
def test_a_wrong_frame_is_refused_and_nothing_is_written(pusher, store, changes, words):
    frame = {n: v for n, v in {**FRAME, **changes}.items() if v is not None}
    with pytest.raises(Invalid, match=words):
        pusher.push("live_push", frame)
    assert rate_of(store) is None


def test_unknown_sources_views_and_destinations_are_refused(pusher):
    with pytest.raises(NotFound, match="nearest: live_push"):
        pusher.push("live_psh", FRAME)
    with pytest.raises(NotFound, match="nearest: live"):
        pusher.write("lve", FRAME)
    with pytest.raises(Invalid, match="'both'"):
        pusher.push("live_push", FRAME, to="both")
    with pytest.raises(Refused, match="no warehouse"):
        pusher.push("live_push", FRAME, to="offline")


@pytest.fixture
def engine():
    return InMemoryEngine({})


@pytest.fixture
def both(store, engine):
    return Pusher(lambda: STATE, store, warehouse=lambda: engine, clock=FixedClock(NOON))


def test_an_offline_push_adds_rows_under_the_sources_own_names_once(both, engine, store):
    mapped = {n: v for n, v in FRAME.items() if n != "rate"} | {"r": [0.5]}
    assert both.push("live_push", mapped, to="offline").added == 1
    assert both.push("live_push", mapped, to="offline").added == 0
    (row,) = engine.content["trips"].to_pylist()
    assert row["made"] == NOON  # it became known now, whenever it happened
    assert (row["driver"], row["r"], row["trips"]) == ("a", 0.5, 7)
    assert row["at"].isoformat() == "2013-10-01T11:00:00+00:00"
    assert rate_of(store) is None


def test_a_push_to_both_is_seen_online_and_offline(both, engine, store):
    report = both.push("live_push", FRAME, to="online_and_offline")
    assert (report.rows, report.written, report.added) == (1, 1, 1)
    assert rate_of(store) == 0.5
    assert engine.content["trips"].num_rows == 1


def test_a_wrong_value_is_written_nowhere(both, engine, store):
    with pytest.raises(Invalid, match="trips"):
        both.push("live_push", {**FRAME, "trips": ["many"]}, to="online_and_offline")
    assert engine.content == {}
    assert rate_of(store) is None


def test_a_push_source_without_a_table_takes_nothing_offline(store, engine):
    alone = replace(PUSHED, source=Source("live_push", "push", field_mapping=(("r", "rate"),)))
    pusher = Pusher(lambda: published(alone), store, warehouse=lambda: engine)
    frame = {**FRAME, "event_timestamp": FRAME["at"]}
    with pytest.raises(Refused, match="no table behind it"):
        pusher.push("live_push", frame, to="offline")


def test_a_view_that_is_not_online_takes_no_rows(store):
    offline = published(replace(PUSHED, online=False))
    with pytest.raises(Refused, match="not online"):
        Pusher(lambda: offline, store).write("live", FRAME)
