"""The `dataset` commands and the two public functions, in a project folder."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from registry.kernel.errors import Misuse, Refused
from registry.testing import InMemoryRegistry, feature, published, view
from registry.vocabulary import expect
from tests.warehouses import hours, project, put_tables, source
from training import api, bootstrap
from training.cli import dataset
from training.quality_page import quality_page

READINGS = pa.table({"id": [1, 2], "at": hours(1, 2), "value": [10.0, 20.0]})
LATER = pa.table({"id": [1], "at": hours(5), "value": [50.0]})
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


def test_explain_tells_where_a_row_came_from() -> None:
    assert run(*BUILD).exit_code == 0
    shown = run("explain", "one", "1").stdout
    assert shown.startswith("row 1: id=1 at 2013-01-01T06:00:00Z")
    assert "from readings: id=1" in shown
    assert json.loads(run("explain", "one", "1", "--json").stdout)["keys"] == {"id": 1}


def test_join_writes_a_file_and_no_set(folder: Path) -> None:
    joined = run("join", "joined.parquet", "--spine", "spine.parquet", "--service", "all")
    assert joined.stdout == "3 rows in joined.parquet\n"
    assert "value" in pq.read_schema(folder / "joined.parquet").names
    assert "no training sets yet" in run("list").stdout


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


def test_values_as_served_and_ripe_labels_are_said(folder: Path) -> None:
    (folder / "fieldhouse.toml").write_text('[clock]\ninstant = "2013-01-01T07:00:00Z"\n')
    built = run(*BUILD, "--as-served", "--label-delay-hours", "2").stdout
    assert "as served by runs every 3600 s from 0 s on" in built
    assert "y; 2 rows left out, not known yet" in built
    found = json.loads(run("show", "one", "--json").stdout)
    assert found["recipe"]["spec"]["as_served"]["interval_seconds"] == 3600
    with pytest.raises(Refused, match="not known yet"):
        run(*BUILD[:2], "two", *BUILD[3:], "--label-delay-hours", "2", "--refuse-immature")


def test_groups_may_be_kept_in_one_part() -> None:
    parts = ("--split-by", "id", "--split", "train=0.5", "--split", "test=0.5")
    found = json.loads(run(*BUILD, *parts, "--json").stdout)
    assert sum(part["rows"] for part in found["parts"]) == 3
    with pytest.raises(Misuse, match="not a share"):
        run(*BUILD[:2], "two", *BUILD[3:], "--split-by", "id", "--split", "train=most")


def test_quality_is_shown_in_text_as_json_and_as_a_page(folder: Path) -> None:
    run(*BUILD)
    page = folder / "pages" / "one.html"
    shown = run("quality", "one", "--html", str(page))
    assert "no expectations were run" in shown.stdout
    assert "checks: nothing found" in shown.stdout
    assert page.read_text().startswith("<!doctype html>")
    assert [path.name for path in page.parent.iterdir()] == ["one.html"]
    assert json.loads(run("quality", "one", "--json").stdout)["success"] is True


def test_the_page_shows_each_expectation_and_no_markup_of_the_data(folder: Path) -> None:
    expectations = [expect.between("value", 0, 15), expect.in_set("id", ["<b>"])]
    made = api.build_training_set("one", SPINE, "all", "y", expectations=expectations)
    page = quality_page(made.manifest)
    assert page.count("<td class=fails>fails") == 2
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "FAILS" in run("quality", "one").stdout


def test_a_set_is_exported_with_its_schema(folder: Path) -> None:
    run(*BUILD)
    exported = run("export", "one", "out", "--format", "csv")
    assert exported.stdout.splitlines() == ["out/one.csv", "out/one.schema.json"]
    assert (folder / "out" / "one.csv").read_text().count("\n") == 4


def test_garbage_is_named_before_it_goes(folder: Path) -> None:
    run(*BUILD)
    loose = folder / ".fieldhouse" / "snapshots" / "abc.parquet"
    pq.write_table(SPINE, loose)
    assert "would remove 1 files" in run("gc", "--dry-run").stdout
    assert loose.exists()
    assert "2 snapshots are in use" in run("gc").stdout
    assert not loose.exists()


def test_live_says_what_would_be_others(folder: Path) -> None:
    run(*BUILD)
    put_tables(folder, {"readings": pa.concat_tables([READINGS, LATER])})
    said = run("verify", "one", "--live").stdout
    assert "moved on: readings: 1 row appended" in said
    assert "from the live sources 1 rows would be others, in value" in said
