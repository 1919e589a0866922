"""`fieldhouse lineage` between features, training sets and models, over a registry in SQLite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.bootstrap import open_registry
from registry.core.apply import apply_plan
from registry.core.planning import plan
from registry.kernel.settings import read_settings
from registry.ports import DatasetRecord, ModelRecord
from registry.testing import NOON
from tests.definitions import compiled, service, view

REF = "delays:mean_delay@1"


@pytest.fixture
def traced(project: Path, fieldhouse: Callable[..., Any]) -> Callable[..., Any]:
    """The command in a project of one view, a training set of it and a model of that."""
    (project / "fieldhouse.toml").write_text('[project]\nnamespace = "flights"\n')
    registry = open_registry(read_settings(project))
    wanted = compiled(view(), services=(service("delays:mean_delay"),))
    with registry.context.store.write() as transaction:
        state = transaction.state("flights")
        after = apply_plan(plan(wanted, state, {}), wanted, state, NOON)
        transaction.save_state(state, after)
    registry.datasets.add(
        DatasetRecord("one", "sha256:1", NOON, "ann", 7, (REF, "gone:x@1"), "/there")
    )
    facts = {"training_set": "one"}
    registry.models.save(
        ModelRecord("late", "1", "sha256:2", "packaged", NOON, "ann", (REF,), facts), "ann", "made"
    )
    return fieldhouse


def test_a_training_set_leads_to_its_features_tables_and_models(traced: Callable[..., Any]) -> None:
    said = traced("lineage", "one", "--json").json
    assert (said["training set"], said["rows"], said["models"]) == ("one", 7, ["late@1"])
    assert said["features"] == [
        {"feature": REF, "state": "production", "tables": ["flights"]},
        {"feature": "gone:x@1", "state": "not known any more", "tables": []},
    ]
    text = traced("lineage", "one").out
    assert "late@1" in text
    assert "not known any more" in text


def test_a_feature_leads_to_its_training_sets(traced: Callable[..., Any]) -> None:
    (row,) = traced("lineage", "delays:mean_delay", "--json").json
    assert row["readers"] == ["model late@1", "service late", "training set one"]


def test_an_unknown_name_is_answered_with_the_nearest(traced: Callable[..., Any]) -> None:
    missing = traced("lineage", "onne")
    assert missing.code == 1
    assert "nearest: one" in missing.err
