"""The `dataset` commands and the two public functions, in a project folder."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from registry.kernel.errors import Misuse
from registry.testing import InMemoryRegistry, feature, published, view
from tests.warehouses import hours, project, put_tables, source
from training import api, bootstrap
from training.cli import dataset

READINGS = pa.table({"id": [1, 2], "at": hours(1, 2), "value": [10.0, 20.0]})
SPINE = pa.table({"id": [2, 1, 1], "event_timestamp": hours(6, 6, 0), "y": [0, 1, 0]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose registry publishes one view and one service."""
    readings = view("readings", [feature("value")], source=source("readings"))
    registry = InMemoryRegistry(published(readings, services={"all": ["readings:value"]}))
    monkeypatch.setattr(bootstrap, "_open_registry", lambda settings: registry)
    put_tables(tmp_path, {"readings": READINGS})
    project(tmp_path)
    pq.write_table(SPINE, tmp_path / "spine.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dataset, list(arguments), catch_exceptions=False)


BUILD = ("build", "--name", "one", "--spine", "spine.parquet", "--service", "all", "--label", "y")


def test_build_then_show_list_verify_and_diff() -> None:
    built = run(*BUILD, "--split", "train=2013-01-01T06:00:00Z", "--split", "test=")
    assert built.exit_code == 0
    assert "readings:value@1" in built.stdout
    assert "train 1, test 2" in built.stdout
    assert "one" in run("list").stdout
    assert run("show", "one").stdout == built.stdout
    assert "one is exactly what was built" in run("verify", "one", "--live").stdout
    assert "hold the same data" in run("diff", "one", "one").stdout


def test_json_carries_the_whole_manifest() -> None:
    shown = json.loads(run(*BUILD, "--json").stdout)
    assert shown["rows"] == 3
    assert shown["profiles"]["value"]["nulls"] == 1
    assert json.loads(run("list", "--json").stdout)[0]["digest"] == shown["digest"]


def test_features_may_be_listed_and_the_spine_asked_for_in_sql() -> None:
    sql = 'SELECT id, "at" AS event_timestamp FROM readings'
    built = run(
        "build", "--name", "two", "--spine-sql", sql, "--features", "readings:value", "--json"
    )
    assert json.loads(built.stdout)["rows"] == 2


def test_verify_ends_with_one_when_data_differ(folder: Path) -> None:
    run(*BUILD)
    data = folder / ".fieldhouse/datasets/one/data.parquet"
    table = pq.read_table(data)
    pq.write_table(table.set_column(2, "y", pa.array([1, 1, 1])), data)
    found = run("verify", "one")
    assert found.exit_code == 1
    assert "NOT" in found.stdout


def test_build_wants_one_spine_and_one_choice_of_features() -> None:
    with pytest.raises(Misuse, match="--spine or --spine-sql"):
        run("build", "--name", "x", "--service", "all")
    with pytest.raises(Misuse, match="--service and --features"):
        run(*BUILD, "--features", "readings:value")


def test_the_two_functions_find_the_project() -> None:
    made = api.build_training_set("one", SPINE, "all", "y")
    assert api.load_training_set("one").to_arrow().equals(made.to_arrow())
    assert made.to_arrow().column("value").to_pylist() == [20, 10, None]
