"""Spines read and joined in batches: the same rows, and the same set, as all at once."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Misuse, Refused
from tests.training_room import SPINE, training_in
from tests.warehouses import hour
from training import stream
from training.assemble import assemble
from training.build import Training
from training.recipe import make_recipe
from training.spec import TrainingSpec, named_features
from training.splits import split_by_time


def at_once(training: Training, spine: pa.Table) -> pa.Table:
    state = training.registry.published()
    refs, _ = named_features("all", state)
    recipe = make_recipe(TrainingSpec("x", refs), state, spine.column_names)
    return assemble(spine, recipe, training.engine).table


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_batches_give_the_same_rows_as_all_at_once(tmp_path: Path, rows: int) -> None:
    training = training_in(tmp_path)
    spine = pa.concat_tables([SPINE] * 3)
    (tmp_path / "spine").mkdir()
    pq.write_table(spine.slice(0, 5), tmp_path / "spine" / "a.parquet", row_group_size=2)
    pq.write_table(spine.slice(5), tmp_path / "spine" / "b.parquet")
    out = tmp_path / "out.parquet"
    assert training.stream(tmp_path / "spine" / "*.parquet", "all", out, rows=rows) == 12
    assert pq.read_table(out).equals(at_once(training, spine))


@pytest.mark.parametrize("bytes_at_once", [1, 1 << 30])
@pytest.mark.parametrize("kind", ["query", "glob", "reader"])
def test_a_set_is_the_same_however_its_spine_comes_and_is_cut(
    tmp_path: Path, bytes_at_once: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_FEWEST_ROWS", 3)
    spine = pa.concat_tables([SPINE] * 3)
    training = replace(training_in(tmp_path, rows=spine), batch_bytes=bytes_at_once)
    given = {
        "query": "SELECT * FROM rows",
        "glob": str(tmp_path / "warehouse_data" / "ro*.parquet"),
        "reader": spine.to_reader(max_chunksize=5),
    }
    splits = split_by_time({"train": hour(7), "test": None})
    made = training.build("cut", given[kind], "all", "y", splits=splits)
    known = training_in(tmp_path).build("whole", spine, "all", "y", splits=splits).manifest
    assert made.manifest.content_hash == known.content_hash
    for fact in ("rows", "columns", "coverage", "parts", "findings"):
        assert getattr(made.manifest, fact) == getattr(known, fact), fact
    assert made.manifest.profiles["value"].sketch == known.profiles["value"].sketch
    assert training.verify("cut", live=True).ok


def test_labels_and_runs_are_judged_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_FEWEST_ROWS", 3)
    clock = '[clock]\ninstant = "2013-01-01T07:30:00Z"\n'
    training = replace(training_in(tmp_path, clock, rows=SPINE), batch_bytes=1)
    served = timedelta(hours=2)
    query = "FROM rows"
    made = training.build("one", query, "all", "y", as_served=served, label_delay=3600)
    assert (made.rows, made.manifest.immature) == (2, 2)
    with pytest.raises(Refused, match="2 of 4 rows"):
        training.build("two", query, "all", "y", label_delay=3600, immature="refuse")
    assert training.collect(dry_run=True).files == ()


@pytest.mark.slow
def test_a_spine_much_larger_than_a_batch_takes_the_memory_of_a_batch(tmp_path: Path) -> None:
    few, many = (peak_of_build(tmp_path / str(rows), rows) for rows in (500_000, 5_000_000))
    assert many < few + (256 << 20)


def peak_of_build(folder: Path, rows: int) -> int:
    """The most memory, in bytes, that a process takes which builds a set of so many rows."""
    folder.mkdir()
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-c", _BUILD, str(folder), str(rows)]
    done = subprocess.run(words, env=environ, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) * 1024


_BUILD = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from tests.training_room import training_in

training = replace(training_in(Path(sys.argv[1])), batch_bytes=64 << 20)
query = f'''SELECT i % 3 AS id, i AS n, i * 0.5 AS x, i % 2 AS y,
  TIMESTAMPTZ '2013-01-01 00:00:00Z' + to_hours((i % 9)::INT) AS event_timestamp
  FROM range({sys.argv[2]}) AS rows(i)'''
made = training.build("one", query, ["readings:value", "counts:n"], "y", full_feature_names=True)
assert made.manifest.rows == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_spine_without_rows_gives_a_file_without_rows(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    pq.write_table(SPINE.slice(0, 0), tmp_path / "spine.parquet")
    assert training.stream(tmp_path / "spine.parquet", "all", tmp_path / "out.parquet") == 0
    assert "value" in pq.read_schema(tmp_path / "out.parquet").names


def test_a_join_that_fails_leaves_no_file(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    pq.write_table(SPINE, tmp_path / "spine.parquet")
    (tmp_path / "warehouse_data" / "readings.parquet").write_text("not Parquet")
    with pytest.raises(Exception, match="readings"):
        training.stream(tmp_path / "spine.parquet", "all", tmp_path / "out.parquet")
    assert not list(tmp_path.glob("*out*")) + list(tmp_path.glob(".new-*"))


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    pq.write_table(SPINE, tmp_path / "spine.parquet")
    with pytest.raises(Misuse, match="exists"):
        training.stream(tmp_path / "spine.parquet", "all", tmp_path / "spine.parquet")
