"""Removing training sets: by a person in charge, with a reason, never from under a model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.bootstrap import open_registry
from registry.kernel.errors import Forbidden, Misuse, NotFound, Refused
from registry.kernel.settings import read_settings
from registry.ports import DatasetRecord, ModelRecord, Principal
from registry.testing import NOON
from tests.training_room import SPINE, training_in
from training.build import Training

STEWARD = Principal("ann", frozenset({"steward"}))


def model(state: str, training_set: str = "one") -> ModelRecord:
    facts = {"training_set": training_set}
    return ModelRecord("late", "1", "sha256:2", state, NOON, "ann", (), facts)


@pytest.fixture
def training(tmp_path: Path) -> Training:
    """Training with the sets `one` and `two`, of unlike spines."""
    training = training_in(tmp_path)
    training.build("one", SPINE, "all", "y")
    training.build("two", SPINE.slice(1), "all", "y")
    return training


def test_a_removed_set_is_gone_its_snapshots_go_with_the_rubbish(training: Training) -> None:
    training.remove("one", STEWARD, "asked to")
    with pytest.raises(NotFound):
        training.load("one")
    assert [record.name for record in training.registry.datasets.all()] == ["two"]
    assert len(training.collect().files) == 1  # the spine; its sources are the other set's too
    assert training.verify("two").ok
    assert training.datasets.leftovers() == []
    training.build("one", SPINE.slice(2), "all", "y")  # the name is free again


@pytest.mark.parametrize(
    ("who", "reason", "error"),
    [
        (Principal("bob", frozenset({"author"})), "because", Forbidden),
        (replace(STEWARD, bot=True), "because", Forbidden),
        (STEWARD, " ", Misuse),
    ],
)
def test_only_a_person_in_charge_who_says_why_removes(
    training: Training, who: Principal, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        training.remove("one", who, reason)
    assert training.verify("one").ok


def test_a_set_stays_while_a_model_needs_it(training: Training) -> None:
    training.registry.models.save(model("champion"), "ann", "made")
    with pytest.raises(Refused, match="late@1"):
        training.remove("one", STEWARD, "asked to")
    assert training.verify("one").ok
    training.remove("two", STEWARD, "asked to")
    training.registry.models.save(model("retired"), "ann", "ended")
    training.remove("one", STEWARD, "asked to")
    assert training.all() == []


def test_a_name_that_is_not_there_is_answered_with_the_nearest(training: Training) -> None:
    with pytest.raises(NotFound, match="nearest: one"):
        training.remove("onne", STEWARD, "asked to")


def test_the_command_removes_and_the_audit_keeps_who_and_why(
    project: Path, fieldhouse: Callable[..., Any]
) -> None:
    (project / "fieldhouse.toml").write_text('[project]\nnamespace = "flights"\n')
    registry = open_registry(read_settings(project))
    registry.datasets.add(DatasetRecord("one", "sha256:1", NOON, "ann", 7, (), "/there"))
    registry.models.save(model("packaged"), "ann", "made")
    token = fieldhouse("token", "create", "ann", "--role", "admin", "--role", "steward").out.strip()
    asked = ("dataset", "remove", "one", "--reason", "forget them", "--token", token)
    refused = fieldhouse(*asked)
    assert (refused.code, "late@1" in refused.err) == (1, True)
    registry.models.save(model("rejected"), "ann", "ended")
    assert fieldhouse(*asked).code == 0
    assert registry.datasets.all() == []
    (event,) = (e for e in fieldhouse("audit", "show", "--json").json if "removed" in e["action"])
    assert (event["actor"], event["reason"]) == ("ann", "forget them")
