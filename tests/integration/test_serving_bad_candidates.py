"""Bad candidates, each caught by the check for its fault, and a sound one that passes."""

from dataclasses import replace

import numpy as np
import pytest
from skops.io import dumps

from registry.kernel.errors import Corrupt, Refused
from serving.gate.evidence import Evidence, Heldout
from tests import bad_candidates as bad
from tests.model_room import (
    AUTHOR,
    PLAIN,
    QUICK,
    SCORE,
    Trained,
    evidence,
    flights,
    looked_up_parts,
    open_room,
    parts,
    released,
    xgboost_model,
)

STRICT = replace(
    QUICK,
    rate_per_second=150,
    seconds=1.0,
    p50_ms=150,
    p99_ms=200,
    idle_seconds=0.5,
    first_ms=300,
    slower_slack_ms=4,
)
ASKING_MANY = {"proper.range", "proper.repeats", "proper.alone", "proper.binary", "proper.later"}
PROBABILITIES = {"better.brier", "better.calibration"}
# The check that looks for the fault, and others that cannot help but see it too.
FAULTS = [
    (bad.NanForOneCategory, "proper.range", {"better.auc"}),
    (bad.WrongShape, "proper.declared", {"better", "proper.elsewhere", *ASKING_MANY}),
    (bad.BatchDependent, "proper.alone", {"proper.golden"}),
    (bad.Unsteady, "proper.repeats", {"proper.binary", "proper.later"}),
    (bad.SlowTail, "fast.p99", set()),
    (bad.HeavyToLoad, "fits.load_peak", {"fits.memory"}),
    (bad.Leaking, "fits.growth", {"fits.refusals"}),
    (bad.ColumnsOffByOne, "proper.golden", {"better.auc", *PROBABILITIES}),
    (bad.Percent, "proper.range", {"proper.golden", *PROBABILITIES}),
    (bad.Overconfident, "better.calibration", {"proper.golden", "better.brier"}),
    (bad.LabelsForScores, "better.calibration", {"proper.golden", "better.brier"}),
    (bad.OtherRowsAnswer, "proper.alone", {"better.auc", *PROBABILITIES}),
    (bad.SinglePrecision, "proper.golden", set()),
    (bad.SmallIntegers, "proper.golden", set()),
    (bad.ByTheClock, "proper.later", {"proper.golden", "proper.elsewhere", *ASKING_MANY}),
    (bad.SeededAtLoad, "proper.elsewhere", {"proper.golden"}),
    (bad.ByTheEnvironment, "proper.elsewhere", set()),
    (bad.SlowAfterSilence, "fast.first", set()),
    (bad.SlowAtFirst, "fast.first", set()),
    (bad.LeavesFilesOpen, "fits.handles", set()),
    (bad.LeavesThreads, "fits.handles", {"fits.growth", "fits.refusals"}),
    (bad.KeepsWhatFailed, "fits.refusals", set()),
]


GOLDEN = np.nan_to_num(flights().rows[:8])
GOLDEN[5:, 0] = 2.0**24 + 1, 2.0**31 + 5, 2.0**53 - 1  # identifiers that need their bits


LEAKING_WORKER = b"""
import os
import numpy as np
kept = []
def predict(model, rows):
    kept.append((np.ones(500), os.open("/dev/null", os.O_RDONLY) if len(kept) % 8 == 0 else 0))
    filled = np.nan_to_num(rows)
    return {"probability": 1 / (1 + np.exp(-(1.5 * filled[:, 1] + filled[:, 2])))}
"""


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path, FIELDHOUSE_SERVING_SKOPS_TYPES=bad.SKOPS_TYPES)


def held_out():
    """The last column is a category of eight, the last of which is rare."""
    data = flights(800, seed=11)
    rows = data.rows.copy()
    rows[:, 3] = np.arange(800) % 7
    rows[[400, 600], 3] = 7.0
    return Evidence(Heldout(rows, data.labels, np.nan_to_num(rows[:, 2]), "drawn with seed 11"))


def candidate(folder, kind):
    """Its golden outputs are the sound one's, as the training framework would have given them."""
    made = Trained(f"{kind.__name__}.skops", dumps(kind()), None, PLAIN)
    golden = {SCORE.name: bad.Sound().predict_proba(GOLDEN)}
    # Without a reference, else a wrong shape would not even be packaged.
    return parts(folder, made, reference=None, golden_rows=GOLDEN, golden_outputs=golden)


def gated(room, folder, kind, policy=STRICT):
    room.package(candidate(folder, kind), actor=AUTHOR.subject)
    report = room.gate("delay", None, held_out(), policy, actor="ci")
    return {check.id for check in report.checks if not check.passed}, report


@pytest.mark.slow
def test_a_sound_candidate_passes_where_the_bad_ones_fail(room, tmp_path):
    failing, report = gated(room, tmp_path, bad.Sound)
    assert failing == set(), [c.message for c in report.checks if not c.passed]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "check", "also"), FAULTS, ids=[f[0].__name__ for f in FAULTS])
def test_a_bad_candidate_is_caught_by_the_check_for_its_fault(room, tmp_path, kind, check, also):
    failing, report = gated(room, tmp_path, kind)
    found = [(one.id, one.message) for one in report.checks if not one.passed]
    assert check in failing, found
    assert failing <= {check, *also}, found


@pytest.mark.slow
def test_the_limit_covers_swapping_a_heavy_model_for_its_next_version(room, tmp_path):
    _, report = gated(room, tmp_path, bad.HeavyToLoad)
    asked, seen = report.resources, report.resources.measured
    assert seen.load_peak_bytes > 2 * seen.rest_bytes
    assert seen.hot_swap_peak_bytes > seen.load_peak_bytes + 200_000_000
    assert asked.memory_limit_bytes >= seen.hot_swap_peak_bytes > asked.memory_request_bytes


@pytest.mark.slow
def test_a_candidate_slower_than_the_incumbent_is_caught_though_it_meets_the_objective(
    room, tmp_path
):
    released(room, candidate(tmp_path, bad.Sound))
    failing, report = gated(room, tmp_path, bad.Slow, replace(STRICT, slower_slack_ms=2))
    assert "fast.p50_incumbent" in failing and report.check("fast.p50").passed


def test_a_pickle_in_disguise_is_refused_when_it_is_packaged(room, tmp_path):
    import pickle

    made = replace(xgboost_model(), data=pickle.dumps({"trees": 3}))
    with pytest.raises(Corrupt, match="it is a pickle"):
        room.package(parts(tmp_path, made), actor=AUTHOR.subject)
    hidden = Trained("model.skops", dumps(bad.Program()), None, PLAIN)
    with pytest.raises(Refused, match=r"bad_candidates\.Program"):
        room.package(parts(tmp_path, hidden), actor=AUTHOR.subject)
    assert room.registry.models.all() == ()


@pytest.mark.slow
def test_a_type_that_only_the_packager_allows_does_not_load_at_the_gate(room, tmp_path):
    record = room.package(candidate(tmp_path, bad.Sound), actor=AUTHOR.subject)
    strict = open_room(tmp_path)
    strict.registry.models.save(record, AUTHOR.subject, "model:packaged")
    report = strict.gate("delay", None, held_out(), QUICK, actor="ci")
    assert not report.check("loads").passed
    assert "does not allow" in report.check("loads").message


@pytest.mark.slow
def test_a_candidate_worse_for_one_category_alone_is_caught_by_its_slice(room, tmp_path):
    released(room, candidate(tmp_path, bad.Sound))
    known = held_out().heldout
    cells = np.nan_to_num(known.rows[:, 3]).astype(int).astype(str)
    many = replace(known, slices={"category": cells})
    room.package(candidate(tmp_path, bad.WorseOnOneSlice), actor=AUTHOR.subject)
    lenient = replace(STRICT, margin=0.2, brier_margin=0.2, slice_minimum=80)
    report = room.gate("delay", None, Evidence(many), lenient, actor="ci")
    failing = {one.id: one.message for one in report.checks if not one.passed}
    assert set(failing) == {"better.slices"}, failing
    assert "category=3" in failing["better.slices"]


@pytest.mark.slow
def test_features_of_another_version_than_those_trained_on_are_caught(room, tmp_path):
    made = looked_up_parts(tmp_path, room)
    before = tuple(ref.replace("wind@1", "wind@2") for ref in made.trained_on.features)
    made = replace(made, trained_on=replace(made.trained_on, features=before))
    room.package(made, actor=AUTHOR.subject)
    report = room.gate("delay", None, evidence(), QUICK, actor="ci")
    (failing,) = (check for check in report.checks if not check.passed)
    assert failing.id == "same.versions" and "wind" in failing.message


@pytest.mark.slow
def test_a_leak_in_the_process_of_an_isolated_model_is_caught(room, tmp_path):
    leaking = Trained("delay.model.py", LEAKING_WORKER, None, PLAIN)
    room.package(parts(tmp_path, leaking), actor=AUTHOR.subject)
    report = room.gate("delay", None, held_out(), STRICT, actor="ci")
    failing = {one.id: one.message for one in report.checks if not one.passed}
    assert set(failing) - {"fits.refusals"} == {"fits.growth", "fits.handles"}, failing


@pytest.mark.slow
def test_a_stale_feature_is_caught_by_the_values_looked_up(room, tmp_path):
    room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    room.lookup.table["p3"] = dict.fromkeys(room.lookup.table["p3"], 0.25)
    report = room.gate("delay", None, evidence(), QUICK, actor="ci")
    failing = [check for check in report.checks if not check.passed]
    assert [check.id for check in failing] == ["same.values"]
    assert failing[0].numbers["rows"] == 10
