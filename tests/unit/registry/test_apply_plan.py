from registry.core.apply import apply_plan
from registry.core.compiled import Compiled
from registry.core.planning import plan
from registry.core.publish import publish
from registry.core.published import PinnedFeature, Published
from registry.core.state import NamespaceState
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, service, sql_source, view

EMPTY = NamespaceState("flights")
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"))


def applied(made: Compiled, state: NamespaceState = EMPTY) -> NamespaceState:
    return apply_plan(plan(made, state, {}), made, state, NOON)


def published(state: NamespaceState) -> Published:
    return publish(state, NOON)


def test_an_empty_plan_gives_the_same_state_back() -> None:
    made = compiled(view())
    state = applied(made)
    assert applied(made, state) is state


def test_each_apply_moves_the_number_by_one() -> None:
    state = applied(compiled(view()))
    assert state.number == 1
    assert applied(compiled(view(ttl_seconds=60.0)), state).number == 2


def test_a_changed_meaning_lives_beside_the_old_one() -> None:
    state = applied(compiled(view()))
    second = compiled(view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN))
    state = published(applied(second, state))
    assert set(state.views) == {"delays", "delays@2"}
    old, new = state.views["delays"], state.views["delays@2"]
    assert [(f.name, f.version) for f in old.features] == [("mean_delay", 1), ("worst_delay", 1)]
    assert [(f.name, f.version) for f in new.features] == [("mean_delay", 2), ("worst_delay", 1)]
    assert old.source.query == QUERY
    assert new.source.query == MEDIAN.query


def test_a_service_keeps_its_pins_when_a_meaning_changes() -> None:
    reading = (service("delays:mean_delay"),)
    state = applied(compiled(view(), services=reading))
    changed = view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN)
    state = applied(compiled(changed, services=reading), state)
    assert state.services["late"].pinned == (PinnedFeature("delays", "mean_delay", 1),)


def test_a_service_moves_when_it_names_the_new_version() -> None:
    state = applied(compiled(view(), services=(service("delays:mean_delay"),)))
    changed = view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN)
    moved = (service("delays:mean_delay@2"),)
    state = applied(compiled(changed, services=moved), state)
    assert state.services["late"].pinned == (PinnedFeature("delays@2", "mean_delay", 2),)


def test_until_the_new_line_is_ready_an_unchanged_feature_is_read_from_the_old_one() -> None:
    state = applied(compiled(view()))
    changed = view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN)
    state = published(applied(compiled(changed), state))
    assert state.resolve("delays:worst_delay").view == "delays"
    assert state.resolve("delays:mean_delay").view == "delays@2"


def test_an_added_feature_changes_the_row_schema_only() -> None:
    state = applied(compiled(view(feature("mean_delay"))))
    state = applied(compiled(view()), state)
    line = state.lines["delays"]
    assert [schema.version for schema in line.row_schemas] == [1, 2]
    assert (line.line, line.generation) == (1, 1)


def test_a_removed_feature_asks_for_a_rebuild_and_leaves_a_tombstone() -> None:
    state = applied(compiled(view()))
    state = applied(compiled(view(feature("mean_delay"))), state)
    line = state.lines["delays"]
    assert (line.generation, line.rebuild) == (1, True)  # the live rows serve until then
    assert [gone.feature for gone in published(state).retired] == ["worst_delay"]


def test_a_draft_that_changes_replaces_its_old_version() -> None:
    draft = feature("mean_delay", state="draft")
    state = applied(compiled(view(draft)))
    state = applied(compiled(view(draft, source=MEDIAN)), state)
    assert list(state.lines) == ["delays"]
    assert {r.version: r.state for r in state.features.values()} == {1: "retired", 2: "draft"}


def test_a_draft_that_changes_beside_what_is_served_takes_a_new_line() -> None:
    served, draft = feature("mean_delay"), feature("worst_delay", state="draft")
    state = applied(compiled(view(served, draft)))
    least = sql_source(QUERY.replace("max(delay)", "min(delay)"))
    state = applied(compiled(view(served, draft, source=least)), state)
    assert set(published(state).views) == {"delays", "delays@2"}
    assert published(state).resolve("delays:mean_delay").view == "delays"


def test_a_feature_that_comes_back_takes_a_new_line() -> None:
    state = applied(compiled(view()))
    state = applied(compiled(view(feature("mean_delay"))), state)
    state = published(applied(compiled(view()), state))
    assert "worst_delay" in {f.name for f in state.views["delays@2"].features}
    assert [name for name, _ in state.views["delays"].row_schema.columns] == ["mean_delay"]


def test_a_view_whose_features_are_all_gone_is_no_longer_published() -> None:
    state = applied(compiled(view()))
    assert published(applied(compiled(), state)).views == {}
