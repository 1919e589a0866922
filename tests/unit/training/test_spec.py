from dataclasses import replace

import pytest

from registry.core.published import PinnedFeature, Published, PublishedOnDemand, RetiredFeature
from registry.kernel.errors import FieldhouseError, Gone, Invalid, Misuse, NotFound, Refused
from registry.testing import feature, published, view
from training.spec import (
    TrainingSpec,
    check_name,
    choose_features,
    lifecycle_notices,
    named_features,
)


def state(**changes: object) -> Published:
    a = view("a", [feature("x"), feature("y", **changes)])
    return published(a, view("b", [feature("x")]), services={"all": ["a:x", "a:y", "b:x"]})


def spec(*refs: str, **more: object) -> TrainingSpec:
    return TrainingSpec("set", refs, **more)  # type: ignore[arg-type]


def names(chosen):  # type: ignore[no-untyped-def]
    return [one.column for one in chosen]


def test_a_feature_gives_its_name_to_its_column() -> None:
    assert names(choose_features(spec("a:x", "a:y"), state(), ["id"])) == ["x", "y"]


def test_features_of_one_name_are_called_by_view_too() -> None:
    chosen = choose_features(spec("a:x", "b:x", "a:y"), state(), ["id"])
    assert names(chosen) == ["a__x", "b__x", "y"]


def test_a_feature_gives_way_to_a_column_of_the_spine() -> None:
    assert names(choose_features(spec("a:x", "a:y"), state(), ["x"])) == ["a__x", "y"]


def test_a_clash_that_full_names_do_not_end_is_refused() -> None:
    with pytest.raises(Invalid, match="'a__x'"):
        choose_features(spec("a:x"), state(), ["x", "a__x"])


def test_full_names_may_be_asked_for() -> None:
    assert names(choose_features(spec("a:y", full_feature_names=True), state(), [])) == ["a__y"]


def test_a_service_is_named_by_a_word_without_colon() -> None:
    refs, service = named_features("all", state())
    assert (refs, service) == (("a:x@1", "a:y@1", "b:x@1"), "all")
    assert named_features("a:x", state()) == (("a:x",), None)


@pytest.mark.parametrize(
    ("facts", "error"),
    [({"state": "deprecated"}, Refused), ({"state": "quarantined"}, Refused)],
)
def test_features_that_must_not_be_trained_on_are_refused(
    facts: dict[str, str], error: type[FieldhouseError]
) -> None:
    with pytest.raises(error, match=r"use b:x for a:y@1") as refused:
        choose_features(spec("a:y"), state(**facts, replaced_by="b:x"), [])
    assert "a:y@1" in str(refused.value)


def test_a_deprecated_feature_may_be_waived_with_a_reason() -> None:
    waived = spec("a:y", allow_deprecated="the old model needs it")
    chosen = choose_features(waived, state(state="deprecated"), [])
    (notice,) = lifecycle_notices(chosen, waived.allow_deprecated)
    assert "the old model needs it" in notice.message


def test_a_quarantined_feature_cannot_be_waived() -> None:
    with pytest.raises(Refused):
        choose_features(spec("a:y", allow_deprecated="please"), state(state="quarantined"), [])


def test_a_draft_is_noted() -> None:
    chosen = choose_features(spec("a:y", "a:x"), state(state="draft"), [])
    assert [(n.rule, n.subject) for n in lifecycle_notices(chosen, None)] == [
        ("draft-feature", "a:y@1")
    ]


def test_a_retired_feature_is_gone_with_its_replacement() -> None:
    gone = replace(state(), retired=(RetiredFeature("a", "z", 1, "a:x"),))
    with pytest.raises(Gone, match="use a:x"):
        choose_features(spec("a:z"), gone, [])


def test_a_service_whose_feature_retired_is_gone_too() -> None:
    service = replace(state().services["all"], features=(PinnedFeature("a", "z", 1),))
    old = replace(state(), services={"all": service}, retired=(RetiredFeature("a", "z", 1, "a:x"),))
    with pytest.raises(Gone, match="use a:x"):
        choose_features(spec("a:z@1", service="all"), old, [])


def test_an_unknown_feature_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"nearest: a:x"):
        choose_features(spec("a:xx"), state(), [])


def test_inputs_of_a_computed_feature_are_chosen_but_make_no_column() -> None:
    made = PublishedOnDemand(
        "test", "c", "python", "f", "code", "sha256:c", (feature("z"),), ("a:x",), ()
    )
    chosen = choose_features(spec("c:z"), replace(state(), on_demand={"c": made}), [])
    assert [(one.ref, one.column) for one in chosen] == [("c:z@1", "z"), ("a:x@1", None)]


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "a b"])
def test_names_that_are_no_folder_names_are_refused(name: str) -> None:
    with pytest.raises(Misuse):
        check_name(name)
