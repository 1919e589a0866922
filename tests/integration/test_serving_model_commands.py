"""The commands of a model's whole way, from a specification to the champion and back."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from registry.kernel.errors import Forbidden, Misuse, Refused
from serving import bootstrap
from serving.cli import model
from tests.pipeline_room import TOKENS, pipeline_room

POLICY = """
minimum_positives = 30
minimum_negatives = 30
brier_margin = 0.2
max_calibration_error = 0.3
slice_minimum = 20
rate_per_second = 100
seconds = 0.5
p50_ms = 200
p99_ms = 2000
first_ms = 2000
growth_requests = 240
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    room = pipeline_room(tmp_path, TOKENS)
    monkeypatch.setattr(bootstrap, "open_serving", lambda settings, **_: room)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fieldhouse.toml").write_text("")
    (tmp_path / "gate.toml").write_text(POLICY)
    return tmp_path


def call(*words, code=0):
    ran = CliRunner().invoke(model, list(words), catch_exceptions=False)
    assert code in (None, ran.exit_code), ran.output
    return ran


def ask(*words, by=None, code=0):
    token = ("--token", by) if by else ()
    return json.loads(call(*words, *token, "--json", code=code).stdout)


GATE = ("gate", "delay", "--training-set", "planes", "--sample", "20", "--policy", "gate.toml")


@pytest.mark.slow
def test_from_a_specification_to_the_champion_by_commands_alone(folder):
    made = ask("package", "--spec", "delay.toml", by="author")
    version = made["version"]
    report = ask(*GATE, "--baseline", "distance", "--slice", "group", by="author", code=None)
    assert report["passed"], [c["message"] for c in report["checks"] if not c["passed"]]
    assert report["policy"]["minimum_positives"] == 30
    slices = next(c for c in report["checks"] if c["id"] == "better.slices")
    assert {one["slice"] for one in slices["numbers"]["slices"]} == {
        "group=g0",
        "group=g1",
        "group=g2",
    }
    call("report", "delay", "--to", "gate")
    kinds = [one["kind"] for one in yaml.safe_load_all(Path("gate/kubernetes.yaml").read_text())]
    assert kinds[0] == "Deployment" and Path("gate/report.html").exists()
    half = call("approve", "delay", version, "--comment", "good", "--token", "owner")
    assert "still needed: reliability" in half.stderr
    ask("approve", "delay", version, "--comment", "fits", by="sre")
    ask("promote", "delay", version, by="operator")
    live = ask("live", "delay")
    assert (live["version"], live["released_by"]) == (version, "operator@example.com")
    assert [word["approved_by"] for word in live["approved_by"]] == [
        "owner@example.com",
        "sre@example.com",
    ]
    rails = ask("allow-retraining", "delay", "--comment", "weekly", by="owner")
    assert rails["state"] == "champion"
    assert ask("rebuild", "delay", by="owner")["same_file"]
    shutil.rmtree(folder / ".fieldhouse/models")
    (restored,) = ask("restore", "delay", by="operator")
    assert (restored["version"], restored["intact"]) == (version, False)


@pytest.mark.slow
def test_a_gate_that_fails_ends_with_one_and_the_version_stays_packaged(folder):
    ask("package", "--spec", "delay.toml", by="author")
    ran = call(*GATE, "--p99-ms", "0.001", "--token", "author", code=1)
    assert "fast.p99" in ran.stdout and "could not run" in ran.stdout
    assert "failed: report" in ran.stderr
    assert ask("list", "delay")[0]["state"] == "packaged"
    with pytest.raises(Refused):
        call("approve-retrained", "delay", ask("list")[0]["version"], "--token", "author")


def test_commands_say_what_is_missing(folder):
    assert "give --spec, or NAME" in call("package", "delay", "--token", "author", code=2).output
    with pytest.raises(Misuse, match="cannot be read"):
        ask("package", "--spec", "delay.toml", by="author")
        call(*GATE, "--policy", "nothing.toml", "--token", "author")
    assert "no version of delay was live" in call("live", "delay", code=1).stderr
    for words, by in ((("restore", "delay"), "author"), (GATE, "operator")):
        with pytest.raises(Forbidden):
            call(*words, "--token", by)
