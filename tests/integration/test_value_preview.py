"""Values that a plan changes: read and computed in processes that are stopped in time."""

import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from registry.core.definitions import JoinKey, Source
from registry.core.published import PublishedOnDemand
from registry.core.value_diff import ChangedComputed, ChangedView, ComputedValues
from registry.testing import feature, view
from tests.warehouses import hour, project, put_tables, source
from warehouse.bootstrap import open_code
from warehouse.value_preview import LimitedPreview

pytestmark = pytest.mark.slow

SETTINGS = '[clock]\ninstant = "2013-01-11T00:00:00Z"\n'
COUNT = 30
SPEED = feature("speed")
STATS = view("stats", [SPEED], source=source("stats"))
ENDLESS = "SELECT a.i AS id, now() AS at, 1.0 AS x FROM range(1000000000) a(i), range(1000000) b"


@pytest.fixture
def preview(tmp_path: Path) -> LimitedPreview:
    at = pa.array([hour(1)] * COUNT, pa.timestamp("us", tz="UTC"))
    speeds = [float(n) for n in range(COUNT)]
    put_tables(tmp_path, {"stats": pa.table({"id": range(COUNT), "at": at, "speed": speeds})})
    return LimitedPreview(project(tmp_path, SETTINGS))


def computed(body: str, name: str = "fast", request: tuple[JoinKey, ...] = ()) -> PublishedOnDemand:
    code = f"def {name}(inputs):\n    {body}\n"
    made = (feature("far"),)
    inputs = ("stats:speed",)
    return PublishedOnDemand("test", name, "python", name, code, "sha256:c", made, inputs, request)


def changed(before: str, after: str, request: tuple[JoinKey, ...] = ()) -> ChangedComputed:
    holds = {"stats:speed": STATS}
    old, new = computed(before, request=request), computed(after, request=request)
    return ChangedComputed(old, new, ("far",), holds, holds)


DOUBLE = "return {'far': [2 * s for s in inputs['stats__speed']]}"
CAPPED = "return {'far': [min(2 * s, 40.0) for s in inputs['speed']]}"


def test_old_and_new_code_are_compared_on_the_same_inputs(preview: LimitedPreview) -> None:
    samples, left_out = preview.sample([changed(DOUBLE, CAPPED)], 60)
    assert left_out == {}
    (found,) = preview.differences(samples, preview.run(samples, 10)).diffs
    over = COUNT - 21  # of speeds above 20
    assert (found.feature, found.rows, found.changed) == ("fast:far", 3 * COUNT, 3 * over)
    assert (found.examples[0].key, found.examples[0].old, found.examples[0].new) == (
        "29",
        "58",
        "40",
    )


def test_code_that_loops_is_stopped_and_the_next_one_is_run(preview: LimitedPreview) -> None:
    loops = changed(DOUBLE, "while True: pass")
    samples, _ = preview.sample([loops, changed(DOUBLE, CAPPED)], 60)
    (other,) = samples[1:]
    other = replace(other, new=replace(other.new, name="other"))
    stopped, done = preview.run([samples[0], other], 0.3)
    assert "more than 0.3 seconds of processor time" in stopped.failed
    assert (done.view, done.failed) == ("other", "")


def test_request_fields_are_made_up_and_named(preview: LimitedPreview) -> None:
    body = "return {'far': [a * b for a, b in zip(inputs['speed'], inputs['hours'])]}"
    both = changed(body, body.replace("a * b", "a + b"), (JoinKey("hours", "float64"),))
    (sample,), _ = preview.sample([both], 60)
    assert sample.made_up == ("hours",)
    (found,) = preview.differences([sample], preview.run([sample], 10)).diffs
    assert found.changed


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (DOUBLE, ()),
        ("return {'far': [None for _ in inputs['speed']]}", ("'far' is null for each of 90 rows",)),
        ("return {'far': ['x' for _ in inputs['speed']]}", ("Could not convert",)),
        ("return {'near': inputs['speed']}", ("did not give far",)),
    ],
)
def test_a_trial_of_code_says_what_keeps_it_from_being_served(
    preview: LimitedPreview, body: str, said: tuple[str, ...]
) -> None:
    found = open_code(preview.settings)(computed(body), {"stats:speed": STATS})
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_personal_values_are_not_handed_to_unreviewed_code(preview: LimitedPreview) -> None:
    secret = replace(STATS, features=(replace(SPEED, sensitivity="personal"),))
    both = replace(changed(DOUBLE, CAPPED), new_inputs={"stats:speed": secret})
    samples, left_out = preview.sample([both], 60)
    assert samples == []
    assert "unreviewed code is not given it" in left_out["fast"]


def test_a_query_that_does_not_end_is_stopped_and_leaves_nothing_running(
    preview: LimitedPreview, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    endless = Source("endless", "sql", query=ENDLESS, timestamp_field="at")
    slow = view("slow", [feature("x")], source=endless)
    quick = ChangedView(STATS, STATS, ("speed",))
    started = time.monotonic()
    found = preview.look([quick, ChangedView(slow, slow, ("x",))], [], 8)
    assert time.monotonic() - started < 20
    assert [diff.feature for diff in found.diffs] == ["stats:speed"]
    assert found.notes == (
        "values of slow are not compared: it took longer than 8 s, and was stopped",
    )
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path / "fieldhouse-") not in running.stdout


def test_forged_values_do_not_fit_the_sample(preview: LimitedPreview) -> None:
    samples, _ = preview.sample([changed(DOUBLE, CAPPED)], 60)
    forged = ComputedValues("fast", {"far": (1.0,)}, {"far": ("<b>", None)})
    found = preview.differences(samples, [forged])
    assert found.diffs == ()
    assert found.notes == (
        "values of fast are not compared: what was computed does not fit the sample",
    )
