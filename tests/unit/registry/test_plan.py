from datetime import timedelta

import pytest

from registry.core.apply import apply_plan
from registry.core.changes import Change
from registry.core.compiled import Compiled
from registry.core.definitions import FeatureView
from registry.core.planning import plan
from registry.core.readers import index_readers, service_readers
from registry.core.state import NamespaceState
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

EMPTY = NamespaceState("flights")


def applied(made: Compiled, state: NamespaceState = EMPTY) -> NamespaceState:
    readers = index_readers(service_readers(state))
    return apply_plan(plan(made, state, readers), made, state, NOON)


def feature_changes(made: Compiled, state: NamespaceState) -> list[Change]:
    readers = index_readers(service_readers(state))
    return [c for c in plan(made, state, readers).changes if c.object == "feature"]


def test_a_first_plan_adds_everything() -> None:
    made = plan(compiled(view(), services=(service("delays:mean_delay"),)), EMPTY, {})
    added = {(c.object, c.name) for c in made.changes if c.action == "add"}
    assert added == {
        ("entity", "carrier"),
        ("view", "delays"),
        ("feature", "delays:mean_delay"),
        ("feature", "delays:worst_delay"),
        ("service", "late"),
    }


def test_an_applied_repository_has_nothing_left_to_plan() -> None:
    made = compiled(view(), services=(service("delays:mean_delay"),))
    assert plan(made, applied(made), {}).empty


def test_a_reformatted_query_is_no_change() -> None:
    state = applied(compiled(view()))
    tidied = sql_source(
        "select carrier, at as event_timestamp, AVG(delay) mean_delay, "
        "max(delay) worst_delay from flights group by carrier, at"
    )
    assert plan(compiled(view(source=tidied)), state, {}).empty


def test_a_changed_expression_changes_its_feature_alone() -> None:
    state = applied(compiled(view()))
    other = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
    (change,) = feature_changes(compiled(view(source=other)), state)
    assert (change.name, change.aspect, change.version) == ("delays:mean_delay", "meaning", 2)
    (difference,) = change.differences
    assert difference.facet == "expression"
    assert "AVG" in (difference.before or "").upper()
    assert "MEDIAN" in (difference.after or "").upper()


def test_a_change_names_the_services_that_it_reaches() -> None:
    state = applied(compiled(view(), services=(service("delays:mean_delay"),)))
    (change, _) = feature_changes(
        compiled(view(ttl_seconds=60.0), services=(service("delays:mean_delay"),)), state
    )
    assert [str(reader) for reader in change.readers] == ["service late"]


def test_a_new_description_is_a_change_of_text() -> None:
    state = applied(compiled(view()))
    made = compiled(view(feature("mean_delay", description="average"), feature("worst_delay")))
    (change,) = feature_changes(made, state)
    assert change.aspect == "text"
    assert change.differences[0].after == "average"


def test_a_sunset_that_moves_is_a_change_of_text() -> None:
    ending = {"state": "deprecated", "reason": "unused"}
    first, second = (
        compiled(view(feature("mean_delay", sunset=NOON + timedelta(days=n), **ending)))
        for n in (1, 2)
    )
    (change,) = feature_changes(second, applied(first))
    assert (change.aspect, change.differences[0].facet) == ("text", "sunset")


def test_a_removed_feature_is_a_change_of_state() -> None:
    state = applied(compiled(view()))
    (change,) = feature_changes(compiled(view(feature("mean_delay"))), state)
    assert (change.action, change.name) == ("remove", "delays:worst_delay@1")


def test_a_feature_that_goes_to_another_view_is_a_move() -> None:
    state = applied(compiled(view()))
    changes = feature_changes(compiled(view(name="carrier_delays")), state)
    assert {c.name for c in changes if c.action == "move"} == {
        "carrier_delays:mean_delay",
        "carrier_delays:worst_delay",
    }


def test_the_digest_does_not_depend_on_the_order_of_definitions() -> None:
    one, two = view(), view(name="other")
    digests = {plan(compiled(a, b), EMPTY, {}).digest for a, b in [(one, two), (two, one)]}
    assert len(digests) == 1


def test_the_digest_does_not_depend_on_line_numbers() -> None:
    from dataclasses import replace

    from registry.core.definitions import Location

    moved = replace(view(), location=Location("delays.py", 40))
    assert plan(compiled(moved), EMPTY, {}).digest == plan(compiled(view()), EMPTY, {}).digest


@pytest.mark.parametrize(
    "other",
    [
        view(feature("mean_delay", description="another"), feature("worst_delay")),
        view(feature("mean_delay", state="draft"), feature("worst_delay")),
        view(feature("mean_delay", sunset=NOON), feature("worst_delay")),
        view(online=False),
        view(domain="planes"),
    ],
)
def test_a_first_plans_digest_covers_all_that_is_said(other: FeatureView) -> None:
    first = plan(compiled(view()), EMPTY, {})
    assert plan(compiled(other), EMPTY, {}).digest != first.digest


def test_a_services_state_is_a_change_of_the_service() -> None:
    state = applied(compiled(view(), services=(service("delays:mean_delay"),)))
    made = compiled(view(), services=(service("delays:mean_delay", state="draft"),))
    (change,) = plan(made, state, {}).changes
    assert [(d.facet, d.before, d.after) for d in change.differences] == [
        ("state", "production", "draft")
    ]
