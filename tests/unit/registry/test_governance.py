"""Which facts hold: a feature's own, else its view's."""

from registry.core.definitions import Feature, FeatureView, Governance, Source
from registry.core.governance import effective

SOURCE = Source("s", "table", table="t", timestamp_field="ts")


def view(**facts: object) -> FeatureView:
    return FeatureView("v", (), (), SOURCE, (), facts=Governance(**facts))  # type: ignore[arg-type]


def test_what_a_feature_does_not_say_its_view_says() -> None:
    feature = Feature("f", "int64", Governance(unit="m"))
    found = effective(view(owner="o", unit="s", state="production", version=2), feature)
    assert (found.owner, found.unit, found.state, found.version) == ("o", "m", "production", 2)


def test_nothing_said_about_the_state_means_draft() -> None:
    assert effective(view(), Feature("f", "int64")).state == "draft"


def test_a_description_is_each_ones_own() -> None:
    assert effective(view(description="the view"), Feature("f", "int64")).description is None


def test_a_view_replaced_by_a_view_replaces_each_feature_by_its_namesake() -> None:
    feature = Feature("f", "int64")
    assert effective(view(replaced_by="w"), feature).replaced_by == "w:f"
    assert effective(view(replaced_by="w@2"), feature).replaced_by == "w:f@2"
    assert effective(view(replaced_by="w:g"), feature).replaced_by == "w:g"


def test_a_default_that_is_false_or_zero_is_said() -> None:
    feature = Feature("f", "int64", Governance(default=0))
    assert effective(view(default=7), feature).default == 0
