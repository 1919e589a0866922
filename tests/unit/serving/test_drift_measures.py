"""PSI, its threshold and the tests of shares, beside scipy and beside chance itself."""

import numpy as np
import pytest
from scipy import stats

from serving.drift.measures import (
    chi_square_quantile,
    each_of,
    shares_differ,
    stability_index,
    stability_threshold,
)


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 19, 30, 200])
@pytest.mark.parametrize("confidence", [0.05, 0.5, 0.95, 0.99, 0.9999])
def test_quantiles_are_scipys(degrees, confidence):
    wanted = stats.chi2.ppf(confidence, degrees)
    assert chi_square_quantile(confidence, degrees) == pytest.approx(wanted, rel=1e-8)


def test_the_index_is_its_definition():
    before, found = [100, 300, 600], [200, 300, 500]
    p = (np.array(before) + 0.5) / (1000 + 1.5)
    q = (np.array(found) + 0.5) / (1000 + 1.5)
    assert stability_index(before, found) == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    assert stability_index(before, before) == 0.0


def test_an_empty_bin_gives_no_infinity():
    assert np.isfinite(stability_index([0, 10], [10, 0]))


@pytest.mark.parametrize("rows", [200, 2_000, 50_000])
def test_chance_alone_exceeds_the_threshold_as_often_as_it_says(rows):
    chooser = np.random.default_rng(rows)
    shares = np.full(10, 0.1)
    trials = 2_000
    before = chooser.multinomial(5_000, shares, trials)
    found = chooser.multinomial(rows, shares, trials)
    threshold = stability_threshold(10, 5_000, rows, 0.95)
    alarms = sum(
        stability_index(b, f) > threshold
        for b, f in zip(before.tolist(), found.tolist(), strict=True)
    )
    assert 0.03 * trials < alarms < 0.07 * trials


def test_the_threshold_falls_as_the_samples_grow():
    assert stability_threshold(10, 100, 100, 0.99) > stability_threshold(10, 10_000, 10_000, 0.99)
    assert stability_threshold(1, 100, 100, 0.99) == float("inf")


def test_shares_differ_beyond_chance_only():
    assert not shares_differ(50, 1000, 55, 1000, 0.99)
    assert shares_differ(50, 1000, 150, 1000, 0.99)
    assert not shares_differ(0, 0, 5, 10, 0.99) and not shares_differ(0, 10, 0, 10, 0.99)


def test_many_tests_share_one_confidence():
    assert each_of(0.99, 10) == pytest.approx(0.999) and each_of(0.99, 0) == pytest.approx(0.99)
