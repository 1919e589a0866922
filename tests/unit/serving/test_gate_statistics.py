"""The gate's statistics, held against slow twins, and to what they declare, over many trials."""

import math
from dataclasses import replace
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from registry.kernel.errors import Invalid
from serving.gate import better, calibration, compare, slices
from serving.gate.bootstrap import paired_errors
from serving.gate.evidence import Heldout
from serving.gate.mcnemar import Discordance, binomial_tail, discordance
from serving.gate.policy import GatePolicy
from tests.model_room import SCORE

counts = st.integers(0, 60)
TRIALS = 200
MARGIN = 0.02


@given(counts, counts)
def test_mcnemars_exact_test_is_the_binomial_test(first, second):
    found = Discordance(first, second, first + second + 5)
    both = first + second
    expected = stats.binomtest(first, both, 0.5).pvalue if both else 1.0
    assert found.p_two_sided() == pytest.approx(expected, abs=1e-12)
    if both:
        greater = stats.binomtest(first, both, 0.5, alternative="greater").pvalue
        assert found.p_better() == pytest.approx(greater, abs=1e-12)
    assert binomial_tail(0, both) == 1.0


def twin_score(found, assumed):
    """The score statistic with the restricted cell found by trying many."""
    first, second, n = found.only_first, found.only_second, found.rows
    cells = np.linspace(max(0.0, -assumed), (1 - assumed) / 2, 200_001)[1:-1]
    same = 1 - 2 * cells - assumed
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            np.where(first > 0, first * np.log(cells + assumed), 0)
            + np.where(second > 0, second * np.log(cells), 0)
            + (n - first - second) * np.log(same)
        )
    cell = cells[np.nanargmax(likelihood)]
    spread = math.sqrt(n * (2 * cell + assumed * (1 - assumed)))
    return (first - second - n * assumed) / spread


@pytest.mark.parametrize(("first", "second", "rows"), [(12, 20, 400), (5, 5, 100), (40, 1, 90)])
def test_tangos_bound_is_where_the_score_statistic_reaches_the_level(first, second, rows):
    found = Discordance(first, second, rows)
    bound = found.lower_bound(0.95)
    assert bound < found.difference
    assert twin_score(found, bound) == pytest.approx(NormalDist().inv_cdf(0.95), abs=2e-3)


def test_two_classifiers_that_never_differ_are_bounded_by_the_number_of_rows():
    z = NormalDist().inv_cdf(0.95)
    assert Discordance(0, 0, 500).lower_bound(0.95) == pytest.approx(-(z**2) / (500 + z**2))


def test_rows_are_counted_where_one_alone_is_right():
    first, second = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    assert discordance(first, second) == Discordance(1, 1, 4)


def test_the_bootstrap_agrees_with_the_delta_method_for_a_mean():
    chooser = np.random.default_rng(1)
    labels = chooser.normal(size=2000)
    first, second = labels + chooser.normal(size=2000), labels + 1.1 * chooser.normal(size=2000)
    found = paired_errors(labels, first, second, "mae", 2000, 3)
    a, b = np.abs(first - labels), np.abs(second - labels)
    share = a / b.mean() - a.mean() * b / b.mean() ** 2
    assert found.error == pytest.approx(share.std() / math.sqrt(2000), rel=0.1)
    assert found.improvement == pytest.approx(1 - a.mean() / b.mean())
    again = paired_errors(labels, first, second, "mae", 2000, 3)
    assert (found.drawn == again.drawn).all()


def test_rmse_is_the_root_of_the_mean_square_and_equal_models_improve_nothing():
    labels, scores = np.zeros(4), np.array([3.0, 4.0, 0.0, 0.0])
    found = paired_errors(labels, scores, scores, "rmse", 50, 0)
    assert found.first == 2.5 and found.improvement == 0.0 and not found.drawn.any()


def test_the_task_chooses_the_metric_and_a_policy_may_choose_another():
    assert compare.metric_of("multiclass", GatePolicy()) == "accuracy"
    assert compare.metric_of("regression", GatePolicy(metric="rmse")) == "rmse"
    with pytest.raises(Invalid, match="tasks: binary"):
        compare.metric_of("ranking", GatePolicy())


def test_classes_are_the_largest_column_the_side_of_a_half_or_the_value():
    assert compare.classes_of(np.array([[0.1, 0.9], [0.6, 0.4]])).tolist() == [1, 0]
    assert compare.classes_of(np.array([0.2, 0.5])).tolist() == [0, 1]
    assert compare.classes_of(np.array([2.0, 0.0])).tolist() == [2, 0]


POLICY = GatePolicy(margin=0.02, bootstrap_samples=400)


def verdict(checks):
    return {check.id: check.passed for check in checks}


def multiclass(quality, seed, rows=3000):
    chooser = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, 3, rows)
    scores = chooser.normal(size=(rows, 3))
    scores[np.arange(rows), labels] += quality
    return labels, scores


def test_a_multiclass_candidate_is_judged_by_mcnemar():
    labels, incumbent = multiclass(2.0, 1)
    _, worse = multiclass(1.5, 2)
    heldout = Heldout(np.zeros((len(labels), 1)), labels)
    found = better.compare_outputs(heldout, worse, incumbent, POLICY, "multiclass")
    assert not verdict(found)["better.accuracy"]
    assert found[1].numbers["mcnemar_exact_p"] < 0.01
    assert all(
        verdict(
            better.compare_outputs(heldout, incumbent, incumbent, POLICY, "multiclass")
        ).values()
    )


def test_a_regression_candidate_is_judged_by_the_bootstrap():
    chooser = np.random.default_rng(4)
    labels = chooser.normal(size=3000)
    incumbent, worse = (labels + chooser.normal(size=3000) * s for s in (1.0, 1.2))
    heldout = Heldout(np.zeros((3000, 1)), labels)
    found = better.compare_outputs(heldout, worse, incumbent, POLICY, "regression")
    assert not verdict(found)["better.mae"]
    assert found[1].numbers["seed"] == POLICY.seed
    better_one = better.compare_outputs(heldout, incumbent, worse, POLICY, "regression")
    assert verdict(better_one)["better.mae"]


def test_too_few_rows_lack_power_and_the_check_says_how_many_it_takes():
    labels, incumbent = multiclass(2.0, 1, rows=500)
    _, other = multiclass(2.0, 2, rows=500)
    heldout = Heldout(np.zeros((500, 1)), labels)
    strict = replace(POLICY, margin=0.005)
    found = better.compare_outputs(heldout, other, incumbent, strict, "multiclass")
    power = next(check for check in found if check.id == "better.power")
    assert not power.passed and power.numbers["rows_needed"] > 5000


@cache
def trial(seed, loss=0.0, rows=2500):
    """Held-out rows, an incumbent, and a candidate whose score has this much less signal."""
    chooser = np.random.default_rng(seed)
    signal, groups = chooser.normal(size=rows), chooser.integers(0, 5, rows)
    first, second = chooser.normal(size=rows) * 0.5, chooser.normal(size=rows) * 0.5
    labels = (chooser.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(int)
    incumbent = 1 / (1 + np.exp(-1.6 * (signal + first)))
    candidate = 1 / (1 + np.exp(-1.6 * ((1 - loss) * signal + second)))
    cells = {"group": groups.astype(str)}
    return Heldout(np.zeros((rows, 1)), labels, slices=cells), candidate, incumbent


def verdicts_of(seed, loss=0.0):
    heldout, candidate, incumbent = trial(seed, loss)
    policy = GatePolicy(margin=MARGIN)
    return better.compare_outputs(heldout, candidate, incumbent, policy, "binary", SCORE)


def test_an_equally_good_candidate_passes_at_the_declared_rate_over_many_trials():
    """The report's own power says how often; slices and calibration may take a little of it."""
    runs = [verdicts_of(seed) for seed in range(TRIALS)]
    declared = np.mean(
        [next(c for c in r if c.id == "better.power").numbers["power"] for r in runs]
    )
    metric = sum(verdict(run)["better.auc"] for run in runs)
    assert declared > GatePolicy().minimum_power
    assert stats.binomtest(metric, TRIALS, declared).pvalue > 0.001
    passed = sum(all(verdict(run).values()) for run in runs)
    least = declared - (1 - GatePolicy().confidence)
    assert stats.binomtest(passed, TRIALS, least, alternative="less").pvalue > 0.001


def test_a_candidate_worse_by_the_margin_passes_no_oftener_than_the_level_allows():
    """Its loss of signal is chosen so that its AUC is lower by the margin on average."""
    runs = [verdicts_of(seed, 0.225) for seed in range(TRIALS)]
    auc = [next(c for c in run if c.id == "better.auc") for run in runs]
    assert np.mean([c.numbers["difference"] for c in auc]) == pytest.approx(-MARGIN, abs=0.002)
    passed = sum(check.passed for check in auc)
    assert stats.binomtest(passed, TRIALS, 0.05, alternative="greater").pvalue > 0.001


def test_a_slice_that_is_worse_is_found_and_named():
    heldout, candidate, incumbent = trial(3)
    spoiled = np.where(heldout.slices["group"] == "2", 1 - candidate, candidate)
    (found,) = slices.check_slices("auc", heldout, spoiled, incumbent, GatePolicy())
    assert not found.passed and "worse by more than 0.02: group=2" in found.message
    (fine,) = slices.check_slices("auc", heldout, candidate, incumbent, GatePolicy())
    assert fine.passed and len(fine.numbers["slices"]) == 5


def test_a_slice_too_small_to_judge_is_counted_and_not_judged():
    heldout, candidate, incumbent = trial(3)
    strict = GatePolicy(slice_minimum=10_000)
    (found,) = slices.check_slices("auc", heldout, candidate, incumbent, strict)
    assert found.passed and found.numbers["too_small"] == 5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_p_values_are_those_of_the_step_down_procedure(p_values):
    adjusted = slices.holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if (len(p_values) - rank) * p_values[place] > level:
                break
            rejected.add(place)
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected


def test_calibration_is_measured_against_what_so_few_rows_show_by_chance():
    chooser = np.random.default_rng(5)
    scores = chooser.random(4000)
    errors = [
        calibration.calibration_curve(chooser.random(4000) < scores, scores).error
        for _ in range(40)
    ]
    assert calibration.chance_error(scores, 1) == pytest.approx(np.mean(errors), rel=0.15)


def test_overconfident_probabilities_fail_though_they_rank_alike():
    heldout, candidate, incumbent = trial(7)
    sure = candidate**4 / (candidate**4 + (1 - candidate) ** 4)
    policy = GatePolicy(margin=MARGIN)
    found = better.compare_outputs(heldout, sure, incumbent, policy, "binary", SCORE)
    failing = {check.id for check in found if not check.passed}
    assert failing == {"better.brier", "better.calibration"}


def test_a_score_that_is_no_probability_is_not_held_to_be_one():
    heldout, candidate, incumbent = trial(7)
    free = replace(SCORE, low=None, high=None)
    checks = better.compare_outputs(
        heldout, candidate * 50, incumbent * 50, GatePolicy(), "binary", free
    )
    (found,) = [check for check in checks if check.id == "better.calibration"]
    assert found.passed and "no probability" in found.message
