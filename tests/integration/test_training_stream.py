"""Spines read in batches, joined into one file: the same rows as all at once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Misuse
from tests.training_room import SPINE, training_in
from training.assemble import assemble
from training.build import Training
from training.recipe import make_recipe
from training.spec import TrainingSpec, named_features


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
