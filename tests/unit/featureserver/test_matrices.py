"""The short way to a model's row beside the long one, which knows about everything."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureserver.instants import micros_of
from featureserver.keys import key_space
from featureserver.lookup import answer, ask
from featureserver.matrix import one_row_of, to_matrix
from featureserver.rows import pack
from featureserver.rows_together import RowsTogether
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import lookup_over
from registry.kernel.errors import Invalid, Refused
from registry.testing import NOON, feature, published, view

NUMBERS = [feature("a"), feature("b", "int64"), feature("c", "bool"), feature("d", "float32")]
DRIVER = view("driver", NUMBERS, {"driver": "string"}, ttl_seconds=3600.0)
PLACE = view("place", [feature("x"), feature("y", "int32")], {"place": "int64"})
ROUTE = view("route", [feature("z")], {"driver": "string", "place": "int64"})
VIEWS = (DRIVER, PLACE, ROUTE)
REFS = ["route:z", "driver:b", "place:y", "driver:a", "driver:c", "place:x", "driver:d"]
VALUES = {
    "float64": st.floats(width=64),
    "float32": st.floats(width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
}


@st.composite
def rows(draw, of):
    """A row of a view as the store may have it: sound, with nulls, none at all, or cut short."""
    gaps = draw(st.sampled_from([st.nothing(), st.nothing(), st.none()]))
    values = {name: draw(gaps | VALUES[dtype]) for name, dtype in of.row_schema.columns}
    ages = [0, 60, 60, 600, 600, 3600, 3601, 90_000, NOON.timestamp()]
    event = NOON - timedelta(seconds=draw(st.sampled_from(ages)))
    created = draw(st.sampled_from([None, None, event + timedelta(hours=1)]))
    raw = pack(of.row_schema, values, event, created)
    return draw(st.sampled_from([*[raw] * 8, None, raw[:-1], b""]))


def by_the_long_way(plan, entities, found):
    result = answer(ask(plan, entities), found, NOON)
    return to_matrix(plan, result.columns, result.count, NOON)


def same(one, other):
    return (
        one.values.tobytes() == other.values.tobytes()
        and one.values.shape == other.values.shape
        and (one.names, one.oldest_age_seconds, one.missing, one.stale)
        == (other.names, other.oldest_age_seconds, other.missing, other.stale)
        and [list(events) for events in one.events] == [list(events) for events in other.events]
    )


@settings(max_examples=100, deadline=None)
@given(st.data(), st.permutations(REFS))
def test_the_short_way_gives_what_the_long_way_gives_or_gives_way(data, refs):
    plan = lookup_over(published(*VIEWS), InMemoryOnlineStore()).plan(refs)
    entities = {
        "driver": [data.draw(st.text(max_size=3))],
        "place": [data.draw(st.integers(-5, 5))],
    }
    keys = one_row_of(plan).keys(entities)
    assert keys == ask(plan, entities).keys
    by_name = {made.key: data.draw(rows(made)) for made in VIEWS}
    found = [by_name[planned.key] for planned in plan.views]
    short = one_row_of(plan).matrix(found, NOON)
    if short is not None:
        assert same(short, by_the_long_way(plan, entities, found))


def test_sound_rows_of_all_views_are_read_together_in_any_order_and_others_are_not():
    plan = lookup_over(published(*VIEWS), InMemoryOnlineStore()).plan(["driver:a", "place:x"])
    reader = RowsTogether([planned.decoder for planned in plan.views], [1, 0])
    driver = pack(DRIVER.row_schema, {"a": 1.5, "b": 2, "c": True, "d": 0.5}, NOON)
    place = pack(PLACE.row_schema, {"x": -1.0, "y": 7}, NOON, NOON + timedelta(hours=1))
    assert reader.read([driver, place]) == ((micros_of(NOON),) * 2, (-1.0, 1.5))
    gap = pack(PLACE.row_schema, {"x": -1.0}, NOON)
    assert reader.read([driver, gap]) is reader.read([driver[:-1], place]) is None
    assert reader.read([b"", place]) is reader.read([b"\x07" + driver[1:], place]) is None


@pytest.mark.parametrize("driver", [["a", "b"], [None], "a", [], [7]])
def test_what_is_not_one_sound_row_of_keys_goes_the_long_way(driver):
    plan = lookup_over(published(DRIVER), InMemoryOnlineStore()).plan(["driver:a"])
    assert one_row_of(plan).keys({"driver": driver}) is None
    assert one_row_of(plan).keys({"drivers": ["a"]}) is None


def test_stale_and_quarantined_values_keep_their_policies():
    store = InMemoryOnlineStore()
    key = key_space(DRIVER).keys({"driver": ["p"]})
    late = NOON - timedelta(hours=2)
    store.write(key, [pack(DRIVER.row_schema, {"a": 5.0}, late)], rewrite=True)
    stale = lookup_over(published(DRIVER), store)
    found = stale.matrix(stale.plan(["driver:a"]), {"driver": ["p"]})
    assert (found.stale, found.oldest_age_seconds) == (1, 7200.0) and np.isnan(found.values[0, 0])
    held = replace(DRIVER.features[0], state="quarantined")
    view_held = replace(DRIVER, features=(held, *DRIVER.features[1:]), ttl_seconds=None)
    quarantined = lookup_over(published(view_held), store)
    found = quarantined.matrix(quarantined.plan(["driver:a"]), {"driver": ["p"]})
    assert np.isnan(found.values[0, 0])


def test_wrong_keys_and_texts_are_refused_as_ever():
    texts = view("texts", [feature("name", "string")], {"driver": "string"})
    lookup = lookup_over(published(DRIVER, texts), InMemoryOnlineStore())
    with pytest.raises(Invalid, match="driver"):
        lookup.matrix(lookup.plan(["driver:a"]), {"driver": [7]})
    with pytest.raises(Refused, match="not a number"):
        lookup.matrix(lookup.plan(["texts:name"]), {"driver": ["a"]})
