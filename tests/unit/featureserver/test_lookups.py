from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from featureserver.keys import key_space
from featureserver.plan import NameCollision
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import lookup_over, put
from registry.core.definitions import JoinKey
from registry.core.published import (
    Published,
    PublishedOnDemand,
    PublishedService,
    RetiredFeature,
    RowSchema,
)
from registry.kernel.errors import Gone, Invalid, NotFound, Refused
from registry.testing import NOON, feature, published, view

STATS = view(
    "stats",
    [feature("rate"), feature("trips", "int64"), feature("name", "string")],
    {"driver": "string"},
    ttl_seconds=3600.0,
)
ROUTE = view("route", [feature("delay")], {"origin": "string", "dest": "string"})
STATE = published(STATS, ROUTE, services={"both": ["route:delay", "stats:trips", "stats:rate"]})
HOUR = timedelta(hours=1)


@pytest.fixture
def store():
    made = InMemoryOnlineStore()
    put(made, STATS, {"driver": "a"}, {"rate": 0.5, "trips": 7, "name": "Ann"})
    put(made, STATS, {"driver": "b"}, {"rate": None, "trips": 8, "name": "Bob"})
    put(made, ROUTE, {"origin": "JFK", "dest": "LAX"}, {"delay": 12.5})
    return made


def with_fact(name, **facts):
    """The state in which one feature of `stats` has other facts."""
    features = tuple(replace(f, **facts) if f.name == name else f for f in STATS.features)
    return published(replace(STATS, features=features))


def test_a_service_answers_in_the_order_of_its_features(store):
    found = lookup_over(STATE, store).get(
        "both", {"driver": ["a"], "origin": ["JFK"], "dest": ["LAX"]}
    )
    assert found.names == ("delay", "trips", "rate")
    assert [c.values for c in found.columns] == [[12.5], [7], [0.5]]


def test_references_answer_in_their_own_order_with_full_names_if_asked(store):
    refs = ["stats:name", "route:delay", "stats:rate@1"]
    entities = {"driver": ["a"], "origin": ["JFK"], "dest": ["LAX"]}
    found = lookup_over(STATE, store).get(refs, entities, full_feature_names=True)
    assert found.names == ("stats__name", "route__delay", "stats@v1__rate")


def test_null_and_missing_values_have_their_own_statuses(store):
    found = lookup_over(STATE, store).get(["stats:rate"], {"driver": ["a", "b", "nobody", None]})
    (column,) = found.columns
    assert column.values == [0.5, None, None, None]
    assert column.statuses == ["PRESENT", "NULL_VALUE", "NOT_FOUND", "NOT_FOUND"]
    assert column.event_times == [NOON, NOON, None, None]


def test_a_row_exactly_as_old_as_the_ttl_is_still_inside(store):
    lookup = lookup_over(STATE, store)
    inside = lookup.get(["stats:trips"], {"driver": ["a"]}, at=NOON + HOUR)
    assert inside.columns[0].statuses == ["PRESENT"]


def test_a_row_past_its_ttl_is_outside_max_age_and_null_by_default(store):
    after = NOON + HOUR + timedelta(microseconds=1)
    found = lookup_over(STATE, store).get(["stats:trips"], {"driver": ["a"]}, at=after)
    assert found.columns[0].statuses == ["OUTSIDE_MAX_AGE"]
    assert found.columns[0].values == [None]
    assert found.columns[0].event_times == [NOON]


@pytest.mark.parametrize(("policy", "answered"), [("last", 7), ("default", -1), ("null", None)])
def test_a_stale_value_follows_its_features_policy(store, policy, answered):
    state = with_fact("trips", staleness=policy, default=-1)
    found = lookup_over(state, store, NOON + 2 * HOUR).get(["stats:trips"], {"driver": ["a"]})
    assert found.columns[0].values == [answered]
    assert found.columns[0].statuses == ["OUTSIDE_MAX_AGE"]


def test_a_stale_value_under_policy_refuse_refuses_the_request(store):
    lookup = lookup_over(with_fact("trips", staleness="refuse"), store, NOON + 2 * HOUR)
    with pytest.raises(Refused, match="stats:trips"):
        lookup.get(["stats:trips"], {"driver": ["a"]})
    assert lookup.get(["stats:rate"], {"driver": ["a"]}).columns[0].values == [None]


@pytest.mark.parametrize(
    ("policy", "answered", "status"),
    [("last", 7, "PRESENT"), ("default", -1, "INVALID"), ("null", None, "INVALID")],
)
def test_a_quarantined_feature_follows_its_policy(store, policy, answered, status):
    state = with_fact("trips", state="quarantined", staleness=policy, default=-1)
    found = lookup_over(state, store).get(["stats:trips"], {"driver": ["a", "nobody"]})
    assert found.columns[0].values == [answered, None]
    assert found.columns[0].statuses == [status, "NOT_FOUND"]


def test_quarantined_under_refuse_and_draft_are_refused(store):
    for facts in ({"state": "quarantined", "staleness": "refuse"}, {"state": "draft"}):
        with pytest.raises(Refused, match="stats:trips"):
            lookup_over(with_fact("trips", **facts), store).plan(["stats:trips"])


def test_a_retired_feature_is_gone_by_reference_and_by_service(store):
    without = replace(STATS, features=STATS.features[:1])
    state = replace(
        published(without),
        retired=(RetiredFeature("stats", "trips", 1, "stats:rate"),),
        services={"s": PublishedService("test", "s", STATE.service("both").features[1:2])},
    )
    for request in (["stats:trips"], "s"):
        with pytest.raises(Gone, match="use stats:rate"):
            lookup_over(state, store).plan(request)


def test_a_deprecated_feature_is_served_and_noted(store):
    sunset = datetime(2014, 1, 1, tzinfo=UTC)
    state = with_fact("trips", state="deprecated", sunset=sunset, replaced_by="stats:rate")
    lookup = lookup_over(state, store)
    (notice,) = lookup.plan(["stats:trips"]).notices
    assert (notice.ref, notice.sunset, notice.replaced_by) == ("stats:trips", sunset, "stats:rate")
    assert lookup.get(["stats:trips"], {"driver": ["a"]}).columns[0].values == [7]


def test_a_corrupt_row_is_invalid_alone(store):
    (key,) = key_space(STATS).keys({"driver": ["b"]})
    store.write([key], [store.read([key])[0][:30]], rewrite=True)
    found = lookup_over(STATE, store).get(["stats:rate", "stats:name"], {"driver": ["a", "b"]})
    assert [c.statuses for c in found.columns] == [["PRESENT", "INVALID"]] * 2


def test_a_feature_added_later_reads_as_its_default_from_older_rows(store):
    added = feature("grade", "int64", default=3)
    wider = replace(
        STATS,
        features=(*STATS.features, added, feature("plain", "string")),
        row_schemas=(
            *STATS.row_schemas,
            RowSchema(2, (*STATS.row_schema.columns, ("grade", "int64"), ("plain", "string"))),
        ),
    )
    found = lookup_over(published(wider), store).get(
        ["stats:grade", "stats:plain"], {"driver": ["a"]}
    )
    assert [c.values for c in found.columns] == [[3], [None]]
    assert [c.statuses for c in found.columns] == [["PRESENT"], ["NULL_VALUE"]]


def test_a_new_generation_is_read_as_soon_as_it_is_published(store):
    states = [STATE]
    lookup = lookup_over(STATE, store)
    lookup.plans.__init__(lambda: states[-1], None, refresh_seconds=0.0)
    rebuilt = replace(STATS, generation=2)
    put(store, rebuilt, {"driver": "a"}, {"rate": 0.9})
    plan = lookup.plan(["stats:rate"])
    states.append(published(rebuilt, number=2))
    assert lookup.matrix(plan, {"driver": ["a"]}).values.tolist() == [[0.9]]


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ({}, "lack driver"),
        ({"drivr": ["a"]}, "nearest: driver"),
        ({"driver": ["a"], "dest": ["LAX"]}, "dest, which no feature"),
        ({"driver": [1]}, "join key 'driver': 1 is not a string"),
        ({"driver": "a"}, "must be a list"),
    ],
)
def test_wrong_entities_are_refused_in_one_clear_message(store, entities, words):
    with pytest.raises(Invalid, match=words):
        lookup_over(STATE, store).get(["stats:rate"], entities)


def test_columns_of_unequal_length_are_refused(store):
    with pytest.raises(Invalid, match="one length"):
        lookup_over(STATE, store).get(["route:delay"], {"origin": ["JFK"], "dest": []})


def test_entity_names_stand_for_their_join_keys(store):
    aliased = published(replace(STATS, entities=("driver_entity",)))
    found = lookup_over(aliased, store).get(["stats:trips"], {"driver_entity": ["a"]})
    assert found.to_dict() == {"driver": ["a"], "trips": [7]}


def test_no_rows_asked_gives_no_rows(store):
    found = lookup_over(STATE, store).get(["stats:trips"], {"driver": []})
    assert found.to_dict() == {"driver": [], "trips": []}


def test_unknown_names_are_not_found_with_the_nearest():
    lookup = lookup_over(STATE)
    for request, words in (
        ("bth", "both"),
        (["stat:rate"], "nearest: stats"),
        (["stats:rte"], "stats:rate"),
    ):
        with pytest.raises(NotFound, match=words):
            lookup.plan(request)


def test_nothing_asked_and_views_that_are_offline_are_refused():
    with pytest.raises(Invalid, match="no features"):
        lookup_over(STATE).plan([])
    with pytest.raises(Refused, match="not online"):
        lookup_over(published(replace(STATS, online=False))).plan(["stats:rate"])


def test_two_features_of_one_name_collide_unless_full_names_are_asked_for():
    other = view("other", [feature("rate")], {"driver": "string"})
    lookup = lookup_over(published(STATS, other))
    with pytest.raises(NameCollision, match="'rate'"):
        lookup.plan(["stats:rate", "other:rate"])
    plan = lookup.plan(["stats:rate", "other:rate"], full_feature_names=True)
    assert plan.names == ("stats__rate", "other__rate")


def test_a_matrix_is_float64_with_nan_where_there_is_no_value(store):
    lookup = lookup_over(STATE, store, NOON + timedelta(seconds=90))
    matrix = lookup.matrix(lookup.plan(["stats:trips", "stats:rate"]), {"driver": ["a", "b", "x"]})
    assert matrix.values.dtype == np.float64
    assert matrix.values.tolist()[0] == [7.0, 0.5]
    assert np.isnan(matrix.values).tolist() == [[False, False], [False, True], [True, True]]
    assert (matrix.missing, matrix.stale, matrix.oldest_age_seconds) == (3, 0, 90.0)


def test_a_matrix_of_text_is_refused_and_stale_values_are_counted(store):
    lookup = lookup_over(STATE, store, NOON + 2 * HOUR)
    with pytest.raises(Refused, match="'name' is of type string"):
        lookup.matrix(lookup.plan(["stats:name"]), {"driver": ["a"]})
    assert lookup.matrix(lookup.plan(["stats:trips"]), {"driver": ["a", "b"]}).stale == 2


def on_demand(code: str, dtype: str = "float64") -> Published:
    made = PublishedOnDemand(
        namespace="test",
        name="fresh",
        mode="python",
        entry="f",
        code=code,
        code_digest="sha256:0",
        features=(feature("scaled", dtype),),
        inputs=("stats:trips",),
        request_fields=(JoinKey("factor", "float64"),),
    )
    return replace(STATE, on_demand={"fresh": made})


def test_an_on_demand_view_is_computed_from_features_and_the_request(store):
    state = on_demand(
        "def f(inputs):\n"
        "    rows = zip(inputs['trips'], inputs['factor'])\n"
        "    return {'scaled': [None if t is None else t * x for t, x in rows]}\n"
    )
    found = lookup_over(state, store).get(
        ["fresh:scaled"], {"driver": ["a", "x"], "factor": [2.0, 3.0]}
    )
    assert found.names == ("scaled",)
    assert found.columns[0].values == [14.0, None]
    assert found.columns[0].statuses == ["PRESENT", "NULL_VALUE"]


def test_a_function_that_fails_spoils_its_row_alone(store):
    state = on_demand(
        "def f(inputs):\n"
        "    return {'scaled': [t / x for t, x in zip(inputs['trips'], inputs['factor'])]}\n"
    )
    found = lookup_over(state, store).get(
        ["fresh:scaled"], {"driver": ["a", "a"], "factor": [0.0, 2.0]}
    )
    assert found.columns[0].values == [None, 3.5]
    assert found.columns[0].statuses == ["INVALID", "PRESENT"]


def test_a_request_field_of_another_type_is_invalid(store):
    state = on_demand("def f(inputs):\n    return {'scaled': inputs['factor']}\n")
    with pytest.raises(Invalid, match="request field 'factor'"):
        lookup_over(state, store).get(["fresh:scaled"], {"driver": ["a"], "factor": ["much"]})


def test_python_values_are_of_the_types_promised():
    kinds = view("kinds", [feature("t", "timestamp"), feature("d", "decimal"), feature("m", "map")])
    store = InMemoryOnlineStore()
    put(store, kinds, {"id": 1}, {"t": NOON, "d": Decimal("1.5"), "m": {"a": [1]}})
    found = lookup_over(published(kinds), store).get(["kinds:t", "kinds:d", "kinds:m"], {"id": [1]})
    assert [c.values[0] for c in found.columns] == [NOON, Decimal("1.5"), {"a": [1]}]
