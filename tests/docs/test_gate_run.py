"""The command that docs/gate.md shows really runs, and makes the checks that the page names."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from serving import bootstrap
from serving.cli import model
from tests.pipeline_room import TOKENS, pipeline_room

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[2] / "docs/gate.md").read_text()
SHOWN = re.search(r"(?m)^    fieldhouse (model gate .*)$", PAGE)
# The example's names, and those of the small pipeline that stands for it here.
NAMES = {
    "flight_delay": "delay",
    "flights": "planes",
    "late_rate_30d": "distance",
    "carrier": "group",
}
# What is asked in the place of others, of other tasks, or beside an incumbent alone.
NOT_HERE = {
    "better.accuracy", "better.mae", "better.rmse", "better.power", "fast.errors",
    "fast.p50_incumbent", "fast.p99_incumbent", "same.none",
}  # fmt: skip
SMALL = "minimum_positives = 30\nminimum_negatives = 30\ngrowth_requests = 240\nseconds = 0.5\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    room = pipeline_room(tmp_path, TOKENS)
    monkeypatch.setattr(bootstrap, "open_serving", lambda settings, **_: room)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fieldhouse.toml").write_text("")
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def call(*words):
    found = CliRunner().invoke(model, [*words, "--token", "author", "--json"])
    return json.loads(found.stdout)


def test_the_pages_command_asks_every_question_that_the_page_names(folder):
    call("package", "--spec", "delay.toml")
    assert SHOWN is not None
    _, *words = (NAMES.get(word, word) for word in shlex.split(SHOWN[1]))
    report = call(*words, "--policy", "small.toml")
    asked = {check["id"]: check for check in report["checks"]}
    named = set(re.findall(r"`((?:loads|better|proper|fast|fits|same)(?:\.[a-z0-9_]+)?)`", PAGE))
    assert named - set(asked) == NOT_HERE and set(asked) <= named
    assert [check["message"] for check in asked.values() if not check["ran"]] == []
    assert report["resources"]["memory_limit_bytes"] >= report["resources"]["memory_request_bytes"]
