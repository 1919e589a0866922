"""The corpus that duplicate detection is examined with: its make, its counts and its intervals."""

import pytest
from scipy.stats import binom

from bench.duplicates.answers import Answer
from bench.duplicates.corpus import CaseView, case_views, copy_views, known_views
from bench.duplicates.examine import batches
from bench.duplicates.families import DUPLICATES, HELD_OUT, HONEST, LABELS, NEAR
from bench.duplicates.metrics import Rate, precision_recall, summary
from bench.duplicates.scoring import score


@pytest.fixture(scope="module")
def views() -> list[CaseView]:
    return copy_views(known_views())


@pytest.mark.slow
def test_enough_honest_cases_are_made_of_every_family() -> None:
    cases = [case for view in case_views(known_views()) for case in view.cases]
    assert sum(case.label == "honest" for case in cases) >= 3000
    assert {case.family for case in cases} == set(LABELS)


def test_enough_copies_are_made_and_half_of_all_families_are_held_out(
    views: list[CaseView],
) -> None:
    labels = [case.label for view in views for case in view.cases]
    assert labels.count("duplicate") >= 300
    assert labels.count("near") >= 300
    for families in (DUPLICATES, NEAR, HONEST):
        assert list(families.values()).count(HELD_OUT) * 2 >= len(families)


def test_no_batch_copies_one_feature_twice(views: list[CaseView]) -> None:
    for batch in batches(views):
        copied = [of for view in batch for of in view.copies]
        assert len(copied) == len(set(copied))
    assert sum(map(len, batches(views))) == len(views)


@pytest.mark.parametrize(("hits", "total"), [(3, 10), (1, 200), (199, 200)])
def test_an_interval_ends_where_the_tails_hold_a_fortieth(hits: int, total: int) -> None:
    low, high = Rate(hits, total).interval
    assert binom.sf(hits - 1, total, low) == pytest.approx(0.025, abs=1e-6)
    assert binom.cdf(hits, total, high) == pytest.approx(0.025, abs=1e-6)


def test_a_copy_is_found_only_where_the_right_feature_is_named() -> None:
    right = _answer("duplicate", "view:a", "block", "view:a")
    wrong = _answer("duplicate", "view:a", "block", "view:b")
    asked = _answer("honest", "", "ask", "view:b")
    found = summary([right, wrong, asked])
    assert found["found"]["hits"] == 1
    assert found["blocking precision"]["value"] == 0.5
    assert found["false questions per 1000"]["value"] == 1000


def test_the_area_under_precision_over_recall_is_one_for_a_score_that_parts_them() -> None:
    assert precision_recall([0.1, 0.2, 0.8, 0.9], [False, False, True, True])["pr_auc"] == 1.0
    assert precision_recall([0.9, 0.8, 0.2, 0.1], [False, False, True, True])["pr_auc"] < 0.5


def test_a_refusal_scores_above_a_question_with_the_same_evidence() -> None:
    said = "values equal for 990 of 1000 (key, time) pairs"
    block = _answer("duplicate", "view:a", "block", "view:a", said)
    ask = _answer("duplicate", "view:a", "ask", "view:a", said)
    assert 1 > score(block) > score(ask) > score(_answer("honest", "", "pass", "")) == 0


def _answer(label: str, of: str, said: str, named: str, message: str = "") -> Answer:
    rule = {"block": "duplicate-values", "ask": "near-duplicate", "pass": ""}[said]
    return Answer("case:f", label, "rename", "held out", of, said, rule, named, message)
