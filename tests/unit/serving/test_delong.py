from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.gate.delong import PairedAuc, auc, midranks, paired_auc

scores = st.lists(st.integers(-3, 3).map(float), min_size=4, max_size=25)


def slow_auc(labels, values):
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p, n in product(values[labels], values[~labels])
    ]
    return sum(pairs) / len(pairs)


def slow_variance(labels, first, second):
    """DeLong's formula written out: components by comparing every pair."""

    def win(p, n):
        return 1.0 if p > n else 0.5 if p == n else 0.0

    def components(values):
        pos, neg = values[labels], values[~labels]
        by_pos = [np.mean([win(p, n) for n in neg]) for p in pos]
        by_neg = [np.mean([win(p, n) for p in pos]) for n in neg]
        return np.array(by_pos), np.array(by_neg)

    (p1, n1), (p2, n2) = components(first), components(second)
    return np.var(p1 - p2, ddof=1) / len(p1) + np.var(n1 - n2, ddof=1) / len(n1)


def draw_case(data):
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=4, max_size=25)))
    assume(2 <= labels.sum() <= len(labels) - 2)
    column = st.lists(st.integers(-3, 3).map(float), min_size=len(labels), max_size=len(labels))
    return labels, np.array(data.draw(column)), np.array(data.draw(column))


@given(st.data())
def test_the_fast_auc_is_the_slow_one(data):
    labels, first, _ = draw_case(data)
    assert auc(labels, first) == pytest.approx(slow_auc(labels, first))


@given(st.data())
def test_the_standard_error_is_that_of_the_formula_written_out(data):
    labels, first, second = draw_case(data)
    found = paired_auc(labels, first, second)
    assert found.error**2 == pytest.approx(slow_variance(labels, first, second), abs=1e-12)
    assert found.difference == pytest.approx(slow_auc(labels, first) - slow_auc(labels, second))


@given(scores)
def test_midranks_are_scipys(values):
    from scipy.stats import rankdata

    assert midranks(np.array(values)).tolist() == rankdata(values).tolist()


def test_auc_and_p_value_agree_with_scipy():
    from scipy.stats import mannwhitneyu, norm

    chooser = np.random.default_rng(1)
    labels = chooser.random(400) < 0.4
    first = labels + chooser.normal(size=400)
    second = labels + chooser.normal(size=400) * 2
    found = paired_auc(labels, first, second)
    statistic = mannwhitneyu(first[labels], first[~labels]).statistic
    assert found.first == pytest.approx(statistic / (labels.sum() * (~labels).sum()))
    assert found.p_value() == pytest.approx(norm.sf(found.difference / found.error))
    expected = found.difference - norm.ppf(0.95) * found.error
    assert found.lower_bound(0.95) == pytest.approx(expected)


def test_the_test_rejects_equal_models_about_as_often_as_it_says():
    chooser = np.random.default_rng(5)
    rejected = 0
    for _ in range(400):
        labels = chooser.random(150) < 0.5
        first, second = (labels + chooser.normal(size=150) * 1.5 for _ in range(2))
        rejected += paired_auc(labels, first, second).p_value() < 0.05
    assert 0.02 < rejected / 400 < 0.09


def test_equal_scores_differ_by_nothing():
    labels = np.array([True, False, True, False])
    values = np.array([1.0, 0.0, 3.0, 2.0])
    assert paired_auc(labels, values, values).lower_bound(0.95) == 0.0
    assert PairedAuc(0.5, 0.5, 0.0, 0.0).p_value() == 1.0
    assert PairedAuc(0.5, 0.5, 0.0, 0.0).p_value(0.01) == 0.0
