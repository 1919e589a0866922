"""Building again: sources that have not changed are neither read nor written, others always are."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Source
from registry.kernel.errors import Refused
from registry.vocabulary import expect
from tests.training_room import READINGS, SPINE, training_in
from tests.warehouses import put_tables
from training import kept_spine
from training.build import Training
from warehouse import evaluated
from warehouse.engines.port import Engine


@dataclass
class Watched:
    """An engine that tells which sources were read to be kept."""

    engine: Engine
    reads: list[str] = field(default_factory=list)

    def read(
        self, source: Source, columns: Sequence[str] | None = None
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        self.reads.append(source.name)
        return self.engine.read(source, columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Training, list[str]]:
    """Training whose files count as settled at once, and what it reads."""
    monkeypatch.setattr(evaluated, "_TICK_SECONDS", -1.0)
    training = training_in(tmp_path)
    watched = Watched(training.engine)
    return replace(training, engine=watched), watched.reads


def snapshots(training: Training) -> dict[str, int]:
    files = training.snapshots.folder.glob("*.parquet")
    return {file.name: file.stat().st_mtime_ns for file in files}


def test_a_second_build_reads_and_writes_no_source(room: tuple[Training, list[str]]) -> None:
    training, reads = room
    training.build("one", SPINE, "all", "y")
    assert reads == ["readings", "counted"]
    before = snapshots(training)
    made = training.build("two", SPINE, "all", "y")
    assert reads == ["readings", "counted"]
    assert snapshots(training) == before
    assert made.manifest.snapshots == training.load("one").manifest.snapshots
    assert training.verify("two").ok


def test_a_source_that_changed_is_read_whatever_its_date_and_size(
    room: tuple[Training, list[str]], tmp_path: Path
) -> None:
    training, reads = room
    training.build("one", SPINE, "all", "y")
    file = tmp_path / "warehouse_data" / "readings.parquet"
    before = file.stat()
    corrected = READINGS.set_column(3, "value", pa.array([11.0, 50.0, 20.0]))
    put_tables(tmp_path, {"readings": corrected})
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    made = training.build("two", SPINE, "all", "y")
    assert reads == ["readings", "counted"] * 2
    assert made.to_arrow().column("value").to_pylist() == [20, 11, 50, None]


def test_other_columns_of_the_same_source_are_read(room: tuple[Training, list[str]]) -> None:
    training, reads = room
    training.build("one", SPINE, ["readings:value"])
    registry: Any = training.registry
    short = replace(
        registry.state.views["readings"], features=registry.state.views["readings"].features[:1]
    )
    registry.state = replace(registry.state, views={**registry.state.views, "readings": short})
    training.build("two", SPINE, ["readings:value"])
    assert reads == ["readings", "readings"]


def test_a_snapshot_that_is_gone_or_another_is_made_again(
    room: tuple[Training, list[str]],
) -> None:
    training, reads = room
    made = training.build("one", SPINE, ["readings:value"])
    (kept,) = (one for one in made.manifest.snapshots if one.of == "readings")
    pq.write_table(READINGS.slice(1), training.snapshots.path(kept.digest))
    training.build("two", SPINE, ["readings:value"])
    training.snapshots.path(kept.digest).unlink()
    training.build("three", SPINE, ["readings:value"])
    assert reads == ["readings"] * 3
    assert training.verify("three").ok


def test_files_that_changed_just_now_are_not_believed(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    watched = Watched(training.engine)
    training = replace(training, engine=watched)
    for name in ("one", "two"):
        training.build(name, SPINE, ["readings:value"])
    assert watched.reads == ["readings", "readings"]


def test_a_build_that_fails_leaves_no_note_and_removal_takes_those_of_lost_snapshots(
    room: tuple[Training, list[str]],
) -> None:
    training, _ = room
    strict = replace(training, quality="block")
    with pytest.raises(Refused):
        strict.build("one", SPINE, "all", expectations=[expect.row_count(minimum=9)])
    marks = training.snapshots.folder / "marks"
    assert list(marks.iterdir()) == []
    training.build("one", SPINE, "all")
    training.datasets.remove("one")
    training.collect()
    assert list(marks.iterdir()) == []


def test_files_of_a_spine_are_read_again_only_when_they_changed(
    room: tuple[Training, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, _ = room
    file = tmp_path / "spine.parquet"
    pq.write_table(SPINE, file)
    first = training.build("one", file, "all", "y")
    times: list[str] = []
    monkeypatch.setattr(kept_spine, "check_times", lambda *a: (times.append("read"), a[0])[1])
    again = training.build("two", str(file), "all", "y")
    assert (times, again.manifest.spine) == ([], first.manifest.spine)
    pq.write_table(SPINE.slice(1), file)
    assert training.build("three", file, "all", "y").rows == SPINE.num_rows - 1
    training.build("four", SPINE, "all", "y")
    training.build("five", file, "all", "y", label_delay=1)
    assert times == ["read"] * 3
