"""The gate's questions, each asked of an answer that is wrong in the way it looks for."""

from dataclasses import replace

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, Invalid
from registry.testing import InMemoryRegistry, feature, published, view
from serving.bundle import LAYOUT, Golden, Manifest, ModelFile, TrainedOn
from serving.gate import better, fast, fits, memory, proper, same
from serving.gate.client import Answer
from serving.gate.evidence import Heldout, OfflineSample
from serving.gate.page import render_page
from serving.gate.policy import GatePolicy
from serving.gate.report import Check, attempt, decode_report
from serving.testing import FakeLookup
from tests.model_room import (
    COLUMNS,
    PLAIN,
    REFS,
    SCORE,
    lookup_table,
    passing_report,
    state,
)

POLICY = GatePolicy(minimum_positives=50, minimum_negatives=50)


def scored(noise: float, seed: int = 0, count: int = 2000):
    chooser = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return labels, labels + chooser.normal(size=count) * noise


def heldout(labels, baseline=None):
    return Heldout(np.zeros((len(labels), 4)), labels, baseline, "made up")


def verdict(checks):
    return {check.id: check.passed for check in checks}


def test_a_model_worse_than_the_incumbent_by_more_than_the_margin_fails():
    labels, incumbent = scored(1.0)
    _, worse = scored(3.0, seed=1)
    found = better.compare_outputs(heldout(labels), worse, incumbent, POLICY)
    assert verdict(found) == {"better.sample": True, "better.auc": False, "better.power": False}
    assert found[1].numbers["difference"] < -POLICY.margin


def test_a_model_that_scores_as_the_incumbent_does_passes():
    labels, incumbent = scored(1.0)
    found = better.compare_outputs(heldout(labels), incumbent, incumbent, POLICY)
    assert all(verdict(found).values())


def test_without_incumbent_the_baseline_must_be_beaten():
    labels, good = scored(1.0)
    _, weak = scored(9.0, seed=2)
    assert all(verdict(better.compare_outputs(heldout(labels, weak), good, None, POLICY)).values())
    turned = better.compare_outputs(heldout(labels, good), weak, None, POLICY)
    assert verdict(turned)["better.auc"] is False


def test_a_baseline_without_an_opinion_on_some_rows_still_counts():
    labels, good = scored(1.0)
    _, weak = scored(9.0, seed=2)
    weak[:100] = np.nan
    assert all(verdict(better.compare_outputs(heldout(labels, weak), good, None, POLICY)).values())


def test_too_few_rows_or_nothing_to_compare_with_is_a_failure():
    labels, good = scored(1.0, count=60)
    assert verdict(better.compare_outputs(heldout(labels), good, good, POLICY)) == {
        "better.sample": False
    }
    labels, good = scored(1.0)
    found = better.compare_outputs(heldout(labels), good, None, POLICY)[1]
    assert (found.passed, found.ran) == (False, False)


def test_scores_that_are_not_numbers_fail():
    labels, good = scored(1.0)
    broken = np.where(np.arange(len(good)) == 7, np.nan, good)
    found = better.compare_outputs(heldout(labels), broken, good, POLICY)
    assert found[1].passed is False and "1 held-out" in found[1].message


def test_heldout_rows_that_do_not_fit_are_refused():
    with pytest.raises(Invalid, match="reads 5"):
        heldout([0, 1]).check(5)
    with pytest.raises(Invalid, match="differ in length"):
        Heldout(np.zeros((3, 4)), np.array([0, 1])).check(4)


class Model:
    """Answers like `ModelClient`, by a function of the rows."""

    def __init__(self, function, datatype="FP32"):
        self.function, self.datatype = function, datatype

    def infer(self, rows, binary=False):
        values = np.asarray(self.function(rows))
        declared = {"probability": (self.datatype, values.shape)}
        return Answer({"probability": values}, declared, {"model_name": "m", "id": "1"})


PROBES = np.random.default_rng(0).normal(size=(12, 4))


def steady(rows):
    return (1 / (1 + np.exp(-rows[:, 0]))).astype(np.float32)


def ask(function, **changes):
    golden = Golden(PROBES[:4], {"probability": steady(PROBES[:4])})
    model = Model(function, **changes)
    return verdict(proper.check_answers(model, golden, PROBES, PLAIN, POLICY))


def test_a_proper_model_passes_every_question():
    assert set(ask(steady)) == {
        f"proper.{q}" for q in ("golden", "declared", "range", "repeats", "alone", "binary")
    }
    assert all(ask(steady).values())


def failing(found):
    return {name for name, passed in found.items() if not passed}


def test_a_batch_dependent_model_is_caught_by_the_row_alone():
    assert "proper.alone" in failing(ask(lambda rows: steady(rows - rows.mean(axis=0))))


def test_a_model_that_draws_lots_is_caught_by_repeating():
    chooser = np.random.default_rng()
    noisy = lambda rows: steady(rows) + chooser.random(len(rows)) * 1e-3  # noqa: E731
    assert "proper.repeats" in failing(ask(noisy))


def test_nan_for_one_category_is_caught_by_the_range():
    holes = lambda rows: np.where(rows[:, 1] > 1, np.nan, steady(rows))  # noqa: E731
    assert "proper.range" in failing(ask(holes))


def test_a_probability_above_one_is_caught_by_the_range():
    assert "proper.range" in failing(ask(lambda rows: steady(rows) + 1))


def test_a_wrong_shape_or_type_is_caught_by_the_declaration():
    assert "proper.declared" in failing(ask(lambda rows: steady(rows)[:, None]))
    assert failing(ask(steady, datatype="FP64")) == {"proper.declared"}


def test_other_answers_to_golden_rows_are_caught():
    assert "proper.golden" in failing(ask(lambda rows: steady(rows * 1.001)))


def test_a_check_that_cannot_run_is_a_failure_that_says_why():
    def broken(rows):
        raise OSError("connection reset")

    golden = Golden(PROBES[:4], {"probability": steady(PROBES[:4])})
    checks = proper.check_answers(Model(broken), golden, PROBES, PLAIN, POLICY)
    assert not any(check.passed or check.ran for check in checks)
    assert all("connection reset" in check.message for check in checks)


def test_latency_above_the_objective_fails_the_quantile_that_is_slow():
    result = fast.LoadResult([0.001] * 95 + [0.2] * 5)
    assert verdict(fast.check_latency(result, 100, GatePolicy(p50_ms=5, p99_ms=50))) == {
        "fast.p50": True,
        "fast.p99": False,
    }


def test_one_unanswered_request_or_error_fails_the_load_run():
    assert verdict(fast.check_latency(fast.LoadResult([0.001] * 9), 10, POLICY)) == {
        "fast.errors": False
    }
    result = fast.LoadResult([0.001] * 10, ["500"])
    assert verdict(fast.check_latency(result, 10, POLICY)) == {"fast.errors": False}


def test_memory_and_load_time_are_held_against_the_policy():
    small = memory.Memory(100, 120)
    print_ = memory.Footprint(small, memory.Memory(200, 900), 3.0, True)
    policy = GatePolicy(max_peak_bytes=800, max_load_seconds=5)
    assert verdict(fits.check_memory(print_, small, policy)) == {
        "fits.memory": False,
        "fits.load_peak": False,
        "fits.load_time": True,
    }
    slow = replace(print_, load_seconds=9.0)
    assert verdict(fits.check_memory(slow, small, GatePolicy(max_load_seconds=5))) == {
        "fits.memory": True,
        "fits.load_peak": False,
        "fits.load_time": False,
    }


def test_the_peak_of_this_process_is_seen_from_outside_of_python():
    import os

    before = memory.read_memory(os.getpid())
    reset = memory.reset_peak(os.getpid())
    block = np.ones(8_000_000)
    after = memory.read_memory(os.getpid())
    assert after.peak >= after.resident * 0.99 and after.peak - before.resident < 1e9
    if reset:
        assert after.resident - before.resident > block.nbytes * 0.5


def manifest(room, trained_on=True):
    signature = room
    trained = TrainedOn("flights", "sha256:x", REFS) if trained_on else None
    return Manifest(
        LAYOUT, "m", "binary", ModelFile("m.ubj", "xgboost"), signature, (), "s", trained
    )


@pytest.fixture
def looked_up():
    from serving.signature import signature_of_service

    return manifest(signature_of_service(state(), "flight_delay", [SCORE]))


def same_checks(manifest, live, table, sample):
    registry = InMemoryRegistry(live)
    lookup = FakeLookup("plane", table)
    return verdict(
        same.check_features(manifest, registry.published, lambda: lookup, sample, POLICY)
    )


def sample_of(table):
    keys = ["p0", "p1", "p2"]
    values = np.array([[table[k].get(ref, np.nan) for ref in REFS] for k in keys])
    return OfflineSample({"plane": keys}, values)


def test_features_that_are_the_same_pass(looked_up):
    table = lookup_table()
    found = same_checks(looked_up, state(), table, sample_of(table))
    assert found == {"same.states": True, "same.versions": True, "same.values": True}


def test_a_stale_value_online_is_caught(looked_up):
    sample, table = sample_of(lookup_table()), lookup_table()
    table["p1"] = {**table["p1"], REFS[1]: 99.0}
    assert failing(same_checks(looked_up, state(), table, sample)) == {"same.values"}
    del table["p1"]
    assert failing(same_checks(looked_up, state(), table, sample)) == {"same.values"}


@pytest.mark.parametrize("bad", ["draft", "quarantined"])
def test_a_feature_that_may_not_be_served_is_caught(looked_up, bad):
    features = [feature(name, state=bad if name == "wind" else "production") for name in COLUMNS]
    live = published(view("stats", features, {"plane": "string"}))
    table = lookup_table()
    assert failing(same_checks(looked_up, live, table, sample_of(table))) == {"same.states"}


def test_a_retired_version_is_caught(looked_up):
    features = [feature(name, version=2) for name in COLUMNS]
    live = published(view("stats", features, {"plane": "string"}))
    found = same.check_states(looked_up, live)
    assert not found.passed and "stats:wind@1" in found.message


def test_versions_other_than_those_trained_on_are_caught(looked_up):
    other = replace(looked_up, trained_on=TrainedOn("f", "sha256:x", ("stats:wind@2", *REFS[:2])))
    found = same.check_versions(other)
    assert not found.passed and found.numbers["strange"] == 2
    unknown = same.check_versions(replace(looked_up, trained_on=None))
    assert (unknown.passed, unknown.ran) == (False, False)


def test_lines_of_views_do_not_count_as_versions(looked_up):
    trained = TrainedOn("f", "sha256:x", tuple(ref.replace("stats:", "stats@2:") for ref in REFS))
    assert same.check_versions(replace(looked_up, trained_on=trained)).passed


def test_without_a_sample_the_comparison_fails_as_not_run(looked_up):
    assert failing(same_checks(looked_up, state(), lookup_table(), None)) == {"same.values"}


def report(**changes):
    from registry.ports import ModelRecord
    from registry.testing import NOON

    record = ModelRecord("m", "v", "sha256:b", "packaged", NOON, "a", (), {})
    return passing_report(record, **changes)


def test_a_report_read_back_has_the_digest_it_was_written_with():
    numbers = {"a": float("nan"), "b": [1, 2.5], "c": 3}
    written = report(
        policy=GatePolicy(rate_per_second=100),
        checks=(Check("x", "?", True, "m", numbers),),
    )
    read = decode_report(written.encode())
    assert read.digest == written.digest and read.checks[0].numbers["a"] is None
    with pytest.raises(Corrupt):
        decode_report(b"{}")


def test_the_page_shows_every_check_and_escapes_what_it_shows():
    bad = Check("fast.p50", "?", False, "<script>", {"curve_ms": [1.0, 2.0, 9.0]})
    page = render_page(report(checks=(bad,), passed=False))
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert "polyline" in page and "failed" in page


def test_attempt_turns_an_exception_into_a_failed_check():
    (found,) = attempt("x", "?", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert (found.passed, found.ran) == (False, False)
