"""From measurements to a resource profile, Kubernetes manifests and a page with plots."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from registry.kernel.errors import Invalid
from serving.bundle import Golden
from serving.gate import fits, manifests, plots
from serving.gate.evidence import Evidence, Heldout
from serving.gate.fast import LoadResult, check_incumbent, check_lookup
from serving.gate.growth import Growth, cpu_seconds
from serving.gate.page import render_page
from serving.gate.policy import GatePolicy, read_policy
from serving.gate.probes import probe_rows
from serving.gate.report import Check, decode_report
from serving.gate.resources import Measured, recommend
from serving.gate.yaml_text import yaml_text
from serving.signature import Input, Signature
from tests.model_room import PLAIN, SCORE, passing_report, profile

MIB = 1 << 20
SMALL = Measured(100 * MIB, 120 * MIB, 110 * MIB, 125 * MIB, 180 * MIB, 0.5, 0, 0.001, 200.0)


def test_the_limit_is_the_worst_of_load_peak_and_hot_swap_peak():
    by_swap = recommend(SMALL)
    assert by_swap.memory_limit_bytes == 208 * MIB  # 180 * 1.15, up to the next 16 MiB
    by_load = recommend(replace(SMALL, load_peak_bytes=400 * MIB))
    assert by_load.memory_limit_bytes == 464 * MIB
    assert by_swap.memory_request_bytes == 128 * MIB == by_load.memory_request_bytes


def test_replicas_and_processor_carry_the_rate_with_room_to_spare():
    one = recommend(SMALL)
    assert (one.replicas, one.cpu_request_millicores) == (2, 167)
    busy = recommend(replace(SMALL, rate_per_second=3000.0))
    assert busy.replicas * busy.cpu_request_millicores / 1000 * 0.6 >= 3000 * 0.001
    assert busy.most_replicas > busy.replicas


def test_a_slow_start_is_waited_for():
    slow = recommend(replace(SMALL, load_seconds=60.0))
    assert slow.start_failures * slow.start_period_seconds >= 5 * 60


def test_a_profile_read_back_from_a_report_has_its_digest():
    from registry.ports import ModelRecord
    from registry.testing import NOON

    record = ModelRecord("m", "v", "sha256:b", "packaged", NOON, "a", (), {})
    report = passing_report(record)
    assert decode_report(report.encode()).profile_digest == report.profile_digest
    assert report.profile_digest == profile().digest != recommend(SMALL).digest


def objects():
    return manifests.manifests("Flight_Delay.v2", "abc", "registry.example/fh:1", recommend(SMALL))


def test_the_manifests_keep_the_schemas_of_the_kubernetes_api():
    made = objects()
    assert [one["kind"] for one in made] == [
        "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget",
    ]  # fmt: skip
    assert manifests.broken_rules(made) == []
    names = {one["metadata"]["name"] for one in made}
    assert names == {"model-flight-delay-v2"}
    container = made[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": "167m", "memory": "128Mi"},
        "limits": {"memory": "208Mi"},
    }
    assert made[2]["spec"]["scaleTargetRef"]["name"] == made[0]["metadata"]["name"]
    labels = made[0]["spec"]["template"]["metadata"]["labels"]
    assert made[0]["spec"]["selector"]["matchLabels"] == made[3]["spec"]["selector"]["matchLabels"]
    assert labels == made[1]["spec"]["selector"]


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        (("spec", "replica"), 3, "Additional properties"),
        (("spec", "replicas"), "three", "not of type 'integer'"),
        (("spec", "selector"), None, "selector"),
        (("apiVersion",), "apps/v1beta1", "not one of"),
    ],
)
def test_a_manifest_that_the_api_would_refuse_is_found(where, value, why):
    deployment = objects()[0]
    place = deployment
    for step in where[:-1]:
        place = place[step]
    if value is None:
        del place[where[-1]]
    else:
        place[where[-1]] = value
    found = manifests.broken_rules([deployment, {"kind": "Gadget"}])
    assert any(why in one for one in found) and found[-1].startswith("Gadget")
    check = fits.check_profile(recommend(SMALL), found)
    assert not check.passed and "break their schemas" in check.message


def test_the_manifest_file_reads_back_as_the_objects():
    assert list(yaml.safe_load_all(manifests.manifest_text(objects()))) == objects()


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["no", "1e3", "~", "-"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(plain)
def test_yaml_text_reads_back_as_what_was_written(value):
    assert yaml.safe_load(yaml_text(value)) == value


def test_growth_is_the_median_slope_and_one_jump_is_none():
    steady = Growth(1200, tuple(1000 for _ in range(12)), 0.001)
    assert steady.per_thousand == 0
    jump = replace(steady, resident=tuple([1000] * 8 + [90_000] * 4))
    leak = replace(steady, resident=tuple(1000 + 400 * step for step in range(12)))
    assert leak.per_thousand == 4000
    assert jump.per_thousand == 0
    warm = replace(steady, resident=(0, 500, 800, 900, *([1000] * 8)))
    assert warm.per_thousand == 0


def test_growth_and_processor_time_are_held_against_the_policy():
    leak = Growth(1200, tuple(10_000_000 + 4_000_000 * step for step in range(12)), 0.02)
    found = {check.id: check.passed for check in fits.check_growth(leak, GatePolicy())}
    assert found == {"fits.growth": False, "fits.cpu": False}


def test_the_processor_time_of_this_process_only_grows():
    import os

    before = cpu_seconds(os.getpid())
    sum(i * i for i in range(2_000_000))
    assert cpu_seconds(os.getpid()) > before


def test_every_corner_of_the_held_out_rows_is_asked_about():
    rows = np.zeros((500, 2))
    rows[:, 0] = np.arange(500) % 5
    rows[:, 1] = np.linspace(0, 1, 500)
    rows[321, 0], rows[77, 1] = 9.0, np.nan
    golden = Golden(np.ones((2, 2)), {})
    probes = probe_rows(golden, Evidence(Heldout(rows, np.zeros(500))), GatePolicy())
    assert set(probes[:, 0].tolist()) >= {0, 1, 2, 3, 4, 9}
    assert {0.0, 1.0} <= set(probes[:, 1].tolist()) and np.isnan(probes[:, 1]).any()
    assert probes[-2:].tolist() == [[1, 1], [1, 1]] and len(probes) < 100
    again = probe_rows(golden, Evidence(Heldout(rows, np.zeros(500))), GatePolicy())
    assert np.array_equal(probes, again, equal_nan=True)


def test_without_held_out_rows_the_golden_ones_are_asked_about():
    golden = Golden(np.ones((2, 2)), {})
    assert probe_rows(golden, Evidence(), GatePolicy()) is golden.rows


def test_an_incumbent_with_other_columns_needs_rows_of_its_own():
    other = Signature((Input("speed"),), (SCORE,))
    heldout = Heldout(np.zeros((3, 4)), np.zeros(3))
    assert heldout.rows_for(PLAIN, PLAIN) is heldout.rows
    with pytest.raises(Invalid, match="reads other columns"):
        heldout.rows_for(other, PLAIN)
    given_rows = replace(heldout, incumbent_rows=np.ones((3, 1)))
    assert given_rows.rows_for(other, PLAIN).tolist() == [[1], [1], [1]]
    with pytest.raises(Invalid, match="differ in length"):
        replace(heldout, incumbent_rows=np.ones((2, 1))).check(4)


def test_slices_are_part_of_the_digest():
    bare = Heldout(np.zeros((2, 1)), np.zeros(2))
    sliced = replace(bare, slices={"x": np.array(["a", "b"])})
    other = replace(bare, slices={"x": np.array(["a", "c"])})
    assert len({bare.digest, sliced.digest, other.digest}) == 3


def test_a_candidate_may_be_a_little_slower_than_the_incumbent_and_no_more():
    fast, slow = LoadResult([0.001] * 100), LoadResult([0.010] * 100)
    policy = GatePolicy()
    assert all(check.passed for check in check_incumbent(fast, fast, policy))
    assert not any(check.passed for check in check_incumbent(slow, fast, policy))
    assert not any(check.passed for check in check_incumbent(fast, LoadResult(), policy))


def test_latency_with_lookup_has_the_same_objectives():
    policy = GatePolicy(p50_ms=5, p99_ms=50)
    assert check_lookup(LoadResult([0.001] * 10), 10, policy, "here").passed
    assert not check_lookup(LoadResult([0.009] * 10), 10, policy, "here").passed
    assert not check_lookup(LoadResult([0.001] * 9), 10, policy, "here").passed
    assert not check_lookup(LoadResult([0.001] * 10, ["503"]), 10, policy, "here").passed


def test_a_policy_is_read_from_a_table_and_options_go_first():
    policy = read_policy({"margin": 0.01, "p99_ms": 80}, p99_ms=70.0, seconds=None)
    assert (policy.margin, policy.p99_ms, policy.seconds) == (0.01, 70.0, GatePolicy().seconds)
    with pytest.raises(Invalid, match="no limit called marge"):
        read_policy({"marge": 1})
    with pytest.raises(Invalid, match="cannot be read"):
        read_policy({"margin": "wide"})


def drawings(page):
    parts = page.split("<svg")[1:]
    return [ElementTree.fromstring("<svg" + part.split("</svg>")[0] + "</svg>") for part in parts]


def test_the_page_draws_what_the_report_measured():
    slices = [
        {"slice": "g=<b>", "rows": 9, "difference": -0.01, "standard_error": 0.02},
        {"slice": "g=c", "rows": 9, "difference": -0.2, "standard_error": 0.01},
    ]
    checks = (
        Check("fast.p50", "fast enough?", True, "", {"curve_ms": [1.0, 2.0, 9.0]}),
        Check("fast.p50_incumbent", "fast enough?", True, "", {"incumbent_curve_ms": [1.0, 3.0]}),
        Check("better.calibration", "better?", True, "", {"curve": [[0.1, 0.2, 5], [0.8, 0.7, 5]]}),
        Check("better.slices", "better?", False, "", {"slices": slices, "margin": 0.02}),
        Check("fits.growth", "fits?", True, "", {"resident_bytes": [9, 9], "requests": 20}),
    )
    from registry.ports import ModelRecord
    from registry.testing import NOON

    record = ModelRecord("m", "v", "sha256:b", "packaged", NOON, "a", (), {})
    page = render_page(passing_report(record, checks=checks))
    latency, calibration, forest, memory, growth = drawings(page)
    assert [g.get("data-line") for g in latency.iter("g")] == ["candidate", "incumbent"]
    assert len(calibration.findall(".//circle")) == 2
    assert [c.get("fill") for c in forest.iter("circle")] == ["#1f6feb", "#a8201a"]
    assert len(memory.findall(".//rect")) == 6 and len(growth.findall(".//polyline")) == 1
    assert "g=<b>" not in page and profile().digest in page


def test_nothing_measured_is_nothing_drawn():
    assert plots.line_plot({"a": []}, "x", "y") == "" == plots.bar_plot({}, "MB")
    assert plots.forest_plot([], 0.1, "x") == ""
    flat = plots.line_plot({"a": [(1.0, 0.0)]}, "x", "y")
    assert "nan" not in flat and "inf" not in flat
