"""`model waive` and `drift` as commands, over a real SQL registry and real tokens."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.bootstrap import open_registry
from registry.kernel.errors import Forbidden, Refused
from registry.kernel.settings import read_settings
from registry.ports import Principal
from registry.testing import NOON
from serving.bootstrap import open_serving
from serving.cli import drift, model
from serving.labels import Label, LabelBook
from tests.model_room import AUTHOR, COLUMNS, flights, parts, pickle_model, xgboost_model


@pytest.fixture
def room(project: Path):
    (project / "fieldhouse.toml").write_text("")
    return open_serving(read_settings(project))


@pytest.fixture
def token(room):
    registry = open_registry(room.settings)
    admin = registry.issue_token(None, Principal("admin", frozenset({"admin"})))

    def issue(role):
        return registry.issue_token(admin, Principal(f"{role}@x", frozenset({role})))

    return issue


def run(command, *words):
    found = CliRunner().invoke(command, [*words, "--json"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, json.loads(found.stdout)


def test_a_pickle_is_packaged_after_an_owner_waived_and_not_before(room, project, token):
    trained = replace(pickle_model(), options={}, assets={})
    with pytest.raises(Refused, match="a pickle is a program"):
        room.package(parts(project, trained), actor=AUTHOR.subject)
    words = ("waive", str(project / "model.pkl"), "--reason", "no exporter yet", "--token")
    with pytest.raises(Forbidden):
        run(model, *words, token("author"))
    _, told = run(model, *words, token("owner"))
    made = parts(project, trained, assets=[Path(told["waiver"])])
    record = room.package(made, actor=AUTHOR.subject)
    predictor = room.predictor([(record.name, record.version)], log=False)
    row = {name: [value] for name, value in zip(COLUMNS, [0.5, 1, -1, 0], strict=True)}
    assert 0 < predictor.predict("delay", row).outputs["probability"][0] < 1
    predictor.close()


def test_drift_is_told_as_json_and_as_a_page(room, project):
    made = parts(project, xgboost_model())
    record = room.package(made, actor=AUTHOR.subject)
    predictor = room.predictor([(record.name, record.version)])
    rows = flights(200, seed=8).rows + 3.0
    for i, row in enumerate(rows):
        columns = {name: [v] for name, v in zip(COLUMNS, row.tolist(), strict=True)}
        predictor.predict("delay", columns, prediction_id=f"id{i}")
    predictor.close()
    book = LabelBook(project / ".fieldhouse/labels", lambda: NOON)
    book.add("delay", [Label(f"id{i}", i % 2) for i in range(200)], "feed@x")
    page = project / "drift.html"
    code, told = run(drift, "delay", "--version", record.version, "--page", str(page), "--fail")
    assert code == 1 and told["labelled"] == 200
    assert {c["name"] for c in told["columns"] if c["verdict"] == "drifted"} >= set(COLUMNS)
    assert "<svg" in page.read_text()
    lines = CliRunner().invoke(drift, ["delay", "--version", record.version])
    assert lines.exit_code == 0 and "drifted" in lines.output
