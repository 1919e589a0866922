"""The gate end to end: real candidates in processes of their own, good and bad."""

from dataclasses import replace

import numpy as np
import pytest

from serving.gate.evidence import Evidence
from serving.gate.fast import run_load
from serving.gate.policy import GatePolicy
from serving.gate.run import run_gate
from serving.gate.watch import GateTools
from serving.wire import encode_request
from tests.model_room import (
    AUTHOR,
    OPERATOR,
    QUICK,
    SCORE,
    approved,
    evidence,
    flights,
    looked_up_parts,
    open_room,
    parts,
    released,
    skops_model,
    xgboost_model,
)


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path)


def failing(report):
    return {check.id for check in report.checks if not check.passed}


def test_a_good_candidate_goes_from_package_to_champion_on_one_report(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    report = room.gate("delay", None, evidence(), QUICK, actor=AUTHOR.subject)
    assert failing(report) == set()
    assert room.report("delay").digest == report.digest
    assert report.data["heldout_digest"] == evidence().heldout.digest
    page = room.stores.primary.read(
        f"reports/delay/{record.version}/{report.digest[7:19]}", "report.html"
    )
    assert b"better.auc" in page and b"polyline" in page
    words = approved(room, record).facts["approvals"]
    assert [word["approval"]["report_digest"] for word in words] == [report.digest] * 2
    assert words[1]["approval"]["profile_digest"] == report.resources.digest
    assert room.promote("delay", record.version, OPERATOR).state == "champion"


@pytest.mark.slow
def test_a_candidate_worse_than_the_incumbent_is_caught_by_better(room, tmp_path):
    released(room, parts(tmp_path, xgboost_model(8)))
    room.package(parts(tmp_path, worse_model()), actor=AUTHOR.subject)
    heldout = Evidence(evidence().heldout)
    report = room.gate("delay", None, heldout, QUICK, actor=AUTHOR.subject)
    assert failing(report) == {"better.auc", "better.brier", "better.power"}
    assert report.check("better.auc").numbers["incumbent"] > 0.7
    assert room.registry.models.get("delay").state == "packaged"


def worse_model():
    import xgboost

    data = flights()
    shuffled = np.random.default_rng(0).permutation(data.labels)
    matrix = xgboost.DMatrix(data.rows, shuffled)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 3)
    return replace(xgboost_model(), data=bytes(booster.save_raw("ubj")))


@pytest.mark.slow
def test_nan_for_a_missing_value_is_caught_by_the_proper_checks(room, tmp_path):
    """The linear model refuses NaN, which the held-out rows hold."""
    room.package(parts(tmp_path, skops_model(), reference=None), actor=AUTHOR.subject)
    found = failing(room.gate("delay", None, Evidence(evidence().heldout), QUICK, actor="a"))
    assert "proper.range" in found and "proper.golden" not in found


def test_each_fault_fails_its_own_check_and_no_other(room, tmp_path):
    other = {SCORE.name: np.full(8, 0.5)}
    room.package(parts(tmp_path, xgboost_model(), golden_outputs=other), actor=AUTHOR.subject)
    strict = replace(QUICK, p99_ms=0.001, max_peak_bytes=1 << 20, max_load_seconds=0.0)
    report = room.gate("delay", None, Evidence(), strict, actor="a")
    faults = {"proper.golden", "fast.p99", "fits.memory", "fits.load_time", "better.sample"}
    assert failing(report) == faults
    assert not report.check("better.sample").ran


def test_a_candidate_that_does_not_load_fails_with_the_servers_own_words(room, tmp_path):
    record = room.package(parts(tmp_path, skops_model(), reference=None), actor=AUTHOR.subject)
    bundle = room.bundle("delay", record.version)
    ghost = replace(bundle, manifest=replace(bundle.manifest, name="ghost"))
    tools = GateTools(room.settings, room.clock, room.registry.published, lambda: room.lookup)
    report = run_gate(ghost, None, evidence(), QUICK, "a", tools)
    assert not report.passed and not report.check("loads").ran
    assert "no bundle of ghost" in report.check("loads").message


def test_an_open_loop_sees_the_queue_behind_one_slow_answer(tmp_path):
    """A server that stalls once: every request due meanwhile counts its waiting."""
    import socket
    import threading
    import time

    path = str(tmp_path / "slow.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer():
        connection, _ = listener.accept()
        with connection:
            for turn in range(50):
                if not connection.recv(65536):
                    return
                if turn == 10:
                    time.sleep(0.2)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = threading.Thread(target=answer, daemon=True)
    server.start()
    result = run_load(path, [encode_request("GET", "/")], 100, 0.5, connections=1)
    server.join(5)
    listener.close()
    assert len(result.seconds) == 50 and result.errors == []
    assert sum(seconds > 0.05 for seconds in result.seconds) >= 10
    assert GatePolicy().p99_ms < result.quantile_ms(0.99)
