"""Bad input to a build or a join: one error that says what to do, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import FieldhouseError, Invalid, Misuse, NotFound, Unavailable
from tests.training_room import READINGS, SPINE, training_in
from tests.warehouses import files_up_to, hour, hours, put_tables
from training import build as builds
from training.build import Training
from training.export import export
from training.sources import keep_sources
from training.spine import open_spine

ROOT = Path(__file__).parents[2]
FAR = pa.array([datetime(2250, 1, 1, tzinfo=UTC)] * 4, pa.timestamp("us", "UTC"))
PAST_ALL = pa.array([2**61] * 4, pa.int64()).cast(pa.timestamp("s", "UTC"))
ZONES = [pd.Timestamp("2013-01-02", tz="UTC"), pd.Timestamp("2013-01-02")] * 2


def left_behind(training: Training, folder: Path) -> list[str]:
    roots = (training.datasets.root, training.quarantine.root, training.snapshots.folder)
    files = (path for root in roots for path in root.rglob("*") if path.name != ".building")
    hidden = folder.glob(".new-*")
    return sorted(path.name for path in (*files, *hidden) if path.name != "marks")


def timed(times: pa.Array) -> pa.Table:
    return SPINE.set_column(1, "event_timestamp", times)


@pytest.mark.parametrize(
    ("spine", "options", "error", "words"),
    [
        (SPINE.drop(["id"]), {}, Misuse, r"no column 'id' \(join key of view 'readings'\)"),
        (SPINE.drop(["event_timestamp"]), {}, Misuse, r"'event_timestamp' \(time column\)"),
        (timed(pa.array(["2013-01-01"] * 4)), {}, Invalid, "must hold times"),
        (timed(pa.nulls(4)), {}, Invalid, "must hold times"),
        (timed(FAR), {}, Invalid, "4 of the spine's times .* the right unit"),
        (timed(PAST_ALL), {}, Invalid, "4 of the spine's times"),
        (SPINE.to_pandas().assign(event_timestamp=ZONES), {}, Invalid, "unlike zones"),
        (SPINE, {"features": "readings:valeu"}, NotFound, "nearest: readings:value"),
        (SPINE, {"features": "counts:n", "as_of": hour(3)}, Invalid, "does not say when its rows"),
        ("SELECT * FROM reading", {}, NotFound, "nearest"),
        ("SELECT id FROM readings; DROP TABLE readings", {}, Invalid, "one SELECT"),
        ("SELECT *, error('bad row') AS e FROM readings", {}, Invalid, "bad row"),
    ],
)
def test_a_build_of_it_is_one_error_and_leaves_nothing(
    tmp_path: Path, spine: Any, options: Any, error: type[FieldhouseError], words: str
) -> None:
    training = training_in(tmp_path, '[clock]\ninstant = "2013-01-02T00:00:00Z"\n')
    asked = {"features": "readings:value", **options}
    with pytest.raises(error, match=words.replace(" .* ", r"[\s\S]*")):
        training.build("one", spine, **asked)
    assert left_behind(training, tmp_path) == []
    assert list(training.registry.datasets.all()) == []


def unlink(file: Path) -> None:
    file.unlink()


def lose_a_column(file: Path) -> None:
    pq.write_table(READINGS.drop(["value"]), file)


def retype_the_time(file: Path) -> None:
    pq.write_table(READINGS.set_column(1, "at", pa.array(["x"] * 3)), file)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:300])


@pytest.mark.parametrize("change", [unlink, lose_a_column, retype_the_time, cut_short])
@pytest.mark.parametrize("when", ["before it is kept", "after it was planned"])
def test_a_source_that_changes_under_a_build_is_one_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], when: str
) -> None:
    training = training_in(tmp_path)
    file = tmp_path / "warehouse_data" / "readings.parquet"

    def meddled(views: Any, engine: Any, *rest: Any) -> Any:
        if when == "before it is kept":
            change(file)
            return keep_sources(views, engine, *rest)
        return keep_sources(views, Meddling(engine, lambda: change(file)), *rest)

    monkeypatch.setattr(builds, "keep_sources", meddled)
    with pytest.raises(FieldhouseError, match=r"readings|value|'at'"):
        training.build("one", SPINE, ["readings:value"])
    assert left_behind(training, tmp_path) == []


class Meddling:
    """An engine whose files change once their columns were looked at, when they are read."""

    def __init__(self, engine: Any, change: Callable[[], None]) -> None:
        self._engine, self._change = engine, change

    def read(self, *asked: Any) -> Any:
        self._change()
        return self._engine.read(*asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_spine_files_of_unlike_columns_are_one_error(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    (tmp_path / "spine").mkdir()
    pq.write_table(SPINE, tmp_path / "spine" / "a.parquet")
    pq.write_table(SPINE.drop(["y"]), tmp_path / "spine" / "b.parquet")
    for act in (
        lambda: training.build("one", tmp_path / "spine", "readings:value"),
        lambda: training.stream(tmp_path / "spine", "readings:value", tmp_path / "out.parquet"),
    ):
        with pytest.raises(Invalid, match=r"b\.parquet has other columns .*y: int64"):
            act()
    assert left_behind(training, tmp_path) == []
    assert not (tmp_path / "out.parquet").exists()


def test_a_spine_file_that_vanishes_while_it_is_read_is_one_error(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    (tmp_path / "spine").mkdir()
    for name in "ab":
        pq.write_table(SPINE, tmp_path / "spine" / f"{name}.parquet")
    files = open_spine(tmp_path / "spine", training.engine)
    with files as reader, pytest.raises(Invalid, match=r"cannot read the spine from .*b\.parquet"):
        (tmp_path / "spine" / "b.parquet").unlink()
        training.build("one", reader, "readings:value")
    assert left_behind(training, tmp_path) == []


def test_a_query_that_fails_in_the_middle_says_what_the_engine_said(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    query = """SELECT 1 AS id, TIMESTAMPTZ '2013-01-02 00:00:00Z' AS event_timestamp,
      CAST(CASE WHEN i = 900000 THEN 'x' ELSE '1' END AS INT) AS y FROM range(1000000) AS r(i)"""
    with pytest.raises(Invalid, match="Could not convert string 'x'"):
        training.build("one", query, "readings:value", "y")
    assert left_behind(training, tmp_path) == []


def test_a_source_that_became_empty_gives_nulls(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    put_tables(tmp_path, {"readings": READINGS.slice(0, 0)})
    made = training.build("one", SPINE, "all", "y")
    assert made.to_arrow().column("value").null_count == 4


_STOPPED = """
import sys
import time
from pathlib import Path
from tests.training_room import SPINE, training_in
from training import stream

def slowly(*args, **kwargs):
    Path(sys.argv[2]).touch()
    time.sleep(60)

room = Path(sys.argv[1])
training = training_in(room)
stream.assemble = slowly
if sys.argv[3] == "build":
    training.build("one", SPINE, "all", "y")
else:
    training.stream(SPINE, "all", room / "out.parquet")
"""


@pytest.mark.parametrize("act", ["build", "stream"])
def test_ctrl_c_in_the_middle_of_a_join_leaves_nothing(tmp_path: Path, act: str) -> None:
    begun, room = tmp_path / "begun", tmp_path / "room"
    room.mkdir()
    words = [sys.executable, "-c", _STOPPED, str(room), str(begun), act]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    training = training_in(room)
    assert left_behind(training, room) == []
    assert not (room / "out.parquet").exists()


LONG = pa.table({"id": range(5_000), "event_timestamp": hours(*[6] * 5_000)})


@pytest.mark.parametrize("act", ["join", "export", "diff"])
def test_a_disk_that_fills_under_it_is_one_error_and_leaves_nothing(
    tmp_path: Path, act: str
) -> None:
    training = replace(training_in(tmp_path), batch_bytes=1 << 18)
    noted = LONG.append_column("note", [[os.urandom(20).hex() for _ in range(5_000)]])
    made = training.build("one", noted, "readings:value")
    training.build("two", noted.slice(1), "readings:value")
    acts = {
        "join": lambda: training.stream(noted, "readings:value", tmp_path / "out" / "a.parquet"),
        "export": lambda: export(made, tmp_path / "out", "csv"),
        "diff": lambda: training.diff("one", "two"),
    }
    before = left_behind(training, tmp_path)
    with files_up_to(50_000), pytest.raises(Unavailable, match="free some disk space"):
        acts[act]()
    assert left_behind(training, tmp_path) == before
    assert list(tmp_path.glob("out/*")) + list(tmp_path.glob("out/.*")) == []
    acts[act]()


def test_a_join_to_a_place_that_is_none_is_one_error(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    out = tmp_path / "a file" / "out.parquet"
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot write"):
        training.stream(SPINE, "all", out)
    assert left_behind(training, tmp_path) == []
