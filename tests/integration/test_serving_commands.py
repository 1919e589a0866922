"""The model commands over a real SQL registry and real tokens."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from registry.bootstrap import open_registry
from registry.kernel.errors import Forbidden, Unauthorized
from registry.kernel.settings import read_settings
from registry.ports import Principal
from serving.bootstrap import open_serving
from serving.cli import model, serve_models
from tests.model_room import AUTHOR, parts, passing_report, xgboost_model


@pytest.fixture
def room(project: Path):
    (project / "fieldhouse.toml").write_text("")
    return open_serving(read_settings(project))


@pytest.fixture
def tokens(room):
    registry = open_registry(room.settings)
    admin = registry.issue_token(None, Principal("admin", frozenset({"admin"})))
    people = {role: role for role in ("owner", "reliability", "operator", "author")}
    return {
        name: registry.issue_token(admin, Principal(f"{name}@x", frozenset({role})))
        for name, role in people.items()
    }


def run(*words):
    found = CliRunner().invoke(model, [*words, "--json"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def gated(room, project, rounds):
    record = room.package(parts(project, xgboost_model(rounds)), actor=AUTHOR.subject)
    room.keep_report(record, passing_report(record), "ci@example.com")
    return record.version


def release(room, project, tokens, rounds):
    version = gated(room, project, rounds)
    for role in ("owner", "reliability"):
        run("approve", "delay", version, "--comment", "fine", "--token", tokens[role])
    return run("promote", "delay", version, "--token", tokens["operator"])


def test_two_releases_and_a_rollback_leave_the_first_as_champion(room, project, tokens):
    first = release(room, project, tokens, 8)
    second = release(room, project, tokens, 9)
    assert (first["state"], second["state"]) == ("champion", "champion")
    back = run("rollback", "delay", "--reason", "slow", "--token", tokens["operator"])
    assert back["version"] == first["version"]
    states = {entry["version"]: entry["state"] for entry in run("list", "delay")}
    assert states == {first["version"]: "champion", second["version"]: "retired"}
    predictor = open_serving(read_settings(project)).predictor(follow=False, log=False)
    assert predictor.find("delay").version == first["version"]
    live = run("live", "delay")
    assert (live["version"], live["reason"]) == (first["version"], "slow")
    assert [word["approved_by"] for word in live["approved_by"]] == ["owner@x", "reliability@x"]


def test_no_token_and_the_wrong_role_are_refused(room, project, tokens):
    version = gated(room, project, 8)
    with pytest.raises(Unauthorized):
        run("approve", "delay", version, "--comment", "x")
    with pytest.raises(Forbidden):
        run("approve", "delay", version, "--comment", "x", "--token", tokens["operator"])
    with pytest.raises(Forbidden):
        run("promote", "delay", version, "--token", tokens["author"])
    assert run("list")[0]["state"] == "gated"


def test_every_command_shows_an_example():
    commands: list[click.Command] = [*model.commands.values(), serve_models]
    for command in commands:
        assert "fieldhouse" in (command.help or "").partition("Example:")[2], command.name
