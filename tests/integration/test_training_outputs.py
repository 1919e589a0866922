"""The forms in which a training set is handed out: frames, relations, matrices, files."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Corrupt, Misuse, NotFound, Unavailable
from tests.training_room import SPINE, training_in
from tests.warehouses import hour
from training import export as export_module
from training.dataset import TrainingSet
from training.export import FORMATS, export
from training.matrices import matrices
from training.shuffle import Order
from training.splits import split_by_time


@pytest.fixture
def made(tmp_path: Path) -> TrainingSet:
    splits = split_by_time({"train": hour(7), "test": None})
    return training_in(tmp_path).build("one", SPINE, "all", "y", splits=splits)


def test_batches_of_a_part_are_its_rows(made: TrainingSet) -> None:
    part = made.split("train")
    batches = list(part.batches(1))
    assert pa.Table.from_batches(batches).equals(part.to_arrow())
    assert [batch.num_rows for batch in batches] == [1, 1]


def test_duckdb_reads_the_file_or_the_part(made: TrainingSet) -> None:
    assert made.to_duckdb().aggregate("count(*), sum(value)").fetchall() == [(4, 80.0)]
    assert made.split("test").to_duckdb().aggregate("count(*)").fetchall() == [(2,)]


def test_matrices_hold_numbers_with_nan_for_null(made: TrainingSet) -> None:
    order = Order(shuffle=False, batch_rows=3)
    (first, label), (last, _) = matrices(made, ["value", "n"], "y", order).batches()
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, [[20, 1], [10, 2], [50, 2]])
    np.testing.assert_array_equal(last, [[np.nan, np.nan]])
    assert (label.dtype, label.tolist()) == (np.int64, [0, 1, 0])


def test_matrices_of_a_part_are_of_its_rows(made: TrainingSet) -> None:
    part = made.split("test")
    (features, _), *_ = matrices(part, ["n"], "y", Order(shuffle=False)).batches()
    assert features[:, 0].tolist()[0] == 2.0
    assert len(features) == 2


def test_a_column_that_holds_no_numbers_is_named(made: TrainingSet) -> None:
    with pytest.raises(Misuse, match=r"kind \(string\)"):
        made.to_torch()
    with pytest.raises(NotFound, match="nearest: value"):
        made.to_torch(["vlue"])


def test_torch_is_asked_for_by_name(made: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "training.torch_stream", raising=False)
    with pytest.raises(Misuse, match="pip install torch"):
        made.to_torch(["value"])


if find_spec("torch") is not None:  # it is no dependency of ours: there is nothing to skip without

    def test_torch_gets_each_row_once_from_its_workers(made: TrainingSet) -> None:
        from torch.utils.data import DataLoader

        rows = made.to_torch(["value", "n"], batch_rows=2, seed=3)
        for workers in (0, 2):
            loader = DataLoader(rows, batch_size=None, num_workers=workers)
            batches = list(loader)
            assert sorted(label for _, labels in batches for label in labels.tolist()) == [
                0,
                0,
                1,
                1,
            ]
            assert all(features.shape[1] == 2 for features, _ in batches)


def read(path: Path) -> pa.Table:
    if path.suffix == ".csv":
        text = pa_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
        return pa_csv.read_csv(path, convert_options=text)
    if path.suffix == ".arrow":
        return pyarrow.ipc.open_file(path).read_all()
    return pq.read_table(path)


@pytest.mark.parametrize("shape", FORMATS)
def test_files_hold_the_rows_and_a_sidecar_says_what_they_are(
    made: TrainingSet, tmp_path: Path, shape: Any
) -> None:
    data, sidecar = export(made, tmp_path / "out", shape)
    assert (data.name, sidecar.name) == (f"one.{shape}", "one.schema.json")
    assert read(data).to_pydict() == made.to_arrow().to_pydict()
    facts = json.loads(sidecar.read_text())
    assert (facts["rows"], facts["label"], facts["content_hash"]) == (
        4,
        "y",
        made.manifest.content_hash,
    )
    shown = {column["name"]: column["r"] for column in facts["columns"]}
    assert shown["event_timestamp"] == "POSIXct"
    assert shown["id"] == "bit64::integer64"
    assert shown["value"] == "numeric"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [data.name, sidecar.name]
    )


def test_a_part_is_written_under_its_name(made: TrainingSet, tmp_path: Path) -> None:
    data, _ = export(made.split("train"), tmp_path, "parquet")
    assert (data.name, pq.read_metadata(data).num_rows) == ("one.train.parquet", 2)


def test_lists_do_not_go_into_csv(tmp_path: Path) -> None:
    spine = SPINE.append_column("tags", pa.array([["a"], [], None, ["b"]]))
    made = training_in(tmp_path).build("lists", spine, "all")
    with pytest.raises(Misuse, match="CSV cannot hold lists"):
        export(made, tmp_path / "out", "csv")
    data, _ = export(made, tmp_path / "out", "arrow")
    assert read(data).column("tags").to_pylist() == [["a"], [], None, ["b"]]


def test_a_full_disk_leaves_no_half_of_an_export(
    made: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(made: TrainingSet, *_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module, "_write", full)
    with pytest.raises(Unavailable, match="No space left"):
        export(made, tmp_path / "out", "csv")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_data_file_cut_short_is_corrupt_however_it_is_read(
    made: TrainingSet, tmp_path: Path
) -> None:
    made.data.write_bytes(made.data.read_bytes()[:100])
    for read_it in (lambda: list(made.batches()), made.to_arrow, lambda: made.to_torch(["n"])):
        with pytest.raises(Corrupt, match="cannot read training set 'one'"):
            read_it()


def test_polars_and_pandas_hold_the_same_columns(made: TrainingSet) -> None:
    frame = made.to_polars()
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == list(made.to_pandas().columns) == made.to_arrow().column_names
