"""What keeps training sets whole: seals, snapshots, quarantine, and builds that fail or collide."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Expectation
from registry.kernel.canonical import digest_bytes
from registry.kernel.errors import Conflict, Corrupt, Misuse, Refused, Unavailable
from registry.vocabulary import expect
from tests.training_room import READINGS, SPINE, training_in
from tests.warehouses import files_up_to, hour, hours
from training import writer
from training.build import Training
from training.dataset import seal_of
from training.quality_page import write_gx_pages
from training.splits import split_by_time


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Training]:
    return partial(training_in, tmp_path)


def left_behind(training: Training) -> list[str]:
    """Files under datasets, quarantine and snapshots, but for the lock."""
    roots = (training.datasets.root, training.quarantine.root, training.snapshots.folder)
    files = (path for root in roots for path in root.rglob("*") if path.is_file())
    return sorted(path.name for path in files if path.name != ".building")


def expecting(training: Training, *expectations: Expectation) -> Training:
    """The same room, its readings under these expectations."""
    registry: Any = training.registry
    readings = replace(registry.state.views["readings"], expectations=expectations)
    registry.state = replace(registry.state, views={**registry.state.views, "readings": readings})
    return training


def test_a_manifest_edited_by_hand_is_not_believed(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    file = made.folder / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"rows": 4', b'"rows": 5'))
    with pytest.raises(Corrupt, match="changed after it was written"):
        training.load("one")
    assert file.with_suffix(".sha256").read_text().split()[1] == "manifest.json"


def test_a_manifest_edited_together_with_its_seal_is_found_by_verify(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    data = (made.folder / "manifest.json").read_bytes().replace(b'"label": "y"', b'"label": null')
    (made.folder / "manifest.json").write_bytes(data)
    (made.folder / "manifest.sha256").write_text(seal_of(data))
    assert training.load("one").digest == digest_bytes(data) != made.digest
    found = training.verify("one")
    assert not found.ok
    assert "the registry knows another manifest" in found.damaged[0]


def test_what_nothing_refers_to_is_removed_and_nothing_else(make: Any) -> None:
    training = make()
    training.build("one", SPINE, "all", "y")
    loose = training.snapshots.keep(SPINE.slice(2).to_reader())
    (training.datasets.root / ".new-dead").mkdir()
    would = training.collect(dry_run=True)
    assert len(would.files) == 2
    assert loose.path.exists()
    done = training.collect()
    assert (done.files, done.kept) == (would.files, 3)
    assert not loose.path.exists()
    assert training.verify("one").ok
    assert training.collect().files == ()


def test_snapshots_are_shared_between_sets(make: Any) -> None:
    training = make()
    training.build("one", SPINE, "all", "y")
    before = left_behind(training)
    training.build("two", SPINE, ["readings:value", "readings:kind", "counts:n"], "y")
    assert len(left_behind(training)) == len(before) + 3  # data, manifest, seal: no snapshot


def test_nothing_is_removed_while_a_set_is_being_built(make: Any) -> None:
    training = make()
    with training.snapshots.building(frozenset) as store:
        kept = store.keep(SPINE.to_reader())
        with pytest.raises(Conflict, match="being built"):
            training.collect()
    assert kept.path.exists()
    assert len(training.collect().files) == 1


def test_a_manifest_that_cannot_be_read_stops_the_removal(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    training.snapshots.keep(SPINE.slice(2).to_reader())
    (made.folder / "manifest.json").write_bytes(b"{}")
    before = left_behind(training)
    with pytest.raises(Corrupt):
        training.collect()
    assert left_behind(training) == before


def test_a_build_that_fails_takes_its_snapshots_with_it(make: Any) -> None:
    training = make()
    training.build("one", SPINE, ["readings:value"], "y")
    before = left_behind(training)
    broken = replace(training, quality="block")
    with pytest.raises(Refused, match="expectations fail"):
        broken.build("two", SPINE.slice(1), "all", expectations=[expect.row_count(minimum=9)])
    assert left_behind(training) == before


@pytest.mark.parametrize(
    ("nth", "where"), [(0, "a snapshot"), (1, "a snapshot"), (2, "in .*datasets")]
)
def test_a_disk_that_fills_in_the_middle_is_one_error_and_leaves_nothing(
    make: Any, nth: int, where: str
) -> None:
    random = np.random.default_rng(1).bytes
    ids, at = list(range(3_000)), hours(*[1] * 3_000)
    texts = [[random(20).hex() for _ in ids] for _ in range(2)]
    readings = {"id": ids, "at": at, "known_at": at, "value": [1.0] * 3_000, "kind": texts[0]}
    training = make(readings=pa.table(readings))
    spine = pa.table({"id": ids, "event_timestamp": at, "note": texts[1]})
    made = training.build("rehearsal", spine, ["readings:kind"])
    written = [*training.snapshots.folder.glob("*.parquet"), made.data]
    sizes = sorted(file.stat().st_size for file in written)
    training.datasets.remove("rehearsal")
    training.collect()
    with files_up_to(sizes[nth] - 1), pytest.raises(Unavailable, match=f"cannot write {where}"):
        training.build("one", spine, ["readings:kind"])
    assert left_behind(training) == []
    assert [record.name for record in training.registry.datasets.all()] == ["rehearsal"]


def test_two_builds_of_one_name_give_one_set(make: Any) -> None:
    training = make()
    ready = threading.Barrier(2)

    def build() -> str:
        ready.wait()
        return str(training.build("one", SPINE, "all", "y").manifest.content_hash)

    with ThreadPoolExecutor(2) as pool:
        hashes = [future.result() for future in [pool.submit(build) for _ in range(2)]]
    assert hashes[0] == hashes[1]
    assert training.datasets.names() == ("one",)
    assert training.collect().files == ()


def test_two_different_builds_of_one_name_give_one_set_and_one_refusal(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make()
    keep = writer.Draft.keep

    def slower(self: writer.Draft, manifest: Any, where: writer.DatasetFolder) -> Any:
        monkeypatch.setattr(writer.Draft, "keep", keep)
        training.build("one", SPINE, "all", "y")  # somebody else is first
        return keep(self, manifest, where)

    monkeypatch.setattr(writer.Draft, "keep", slower)
    with pytest.raises(Conflict, match="another recipe"):
        training.build("one", SPINE.slice(1), ["readings:value"])
    assert training.load("one").rows == 4
    assert training.verify("one").ok


def test_a_set_in_quarantine_can_be_looked_at_and_not_used(make: Any) -> None:
    training = make('[training]\nquality = "quarantine"\n')
    strict = [expect.between("value", maximum=40)]
    with pytest.raises(Refused, match="kept apart, in quarantine"):
        training.build("one", SPINE, "all", "y", expectations=strict)
    assert training.datasets.names() == ()
    assert list(training.registry.datasets.all()) == []
    apart = training.quality_of("one")
    (asked,) = (one for one in apart.manifest.quality if one.on == "set")
    assert asked.report.failures[0].unexpected == 1
    (page,) = write_gx_pages(training.project / "pages", apart.manifest)
    assert "1 unexpected values found" in page.read_text()
    assert training.collect().files == ()  # it may still be rebuilt
    training.build("one", SPINE, "all", "y", expectations=[expect.between("value", maximum=50)])
    assert training.quarantine.names() == ()


def test_expectations_of_a_view_hold_on_the_source_and_on_the_set(make: Any) -> None:
    training = expecting(make(), expect.between("value", 0, 15), expect.unique("id"))
    manifest = training.build("one", SPINE, ["readings:value"], full_feature_names=True).manifest
    told = {(one.on, one.subject): len(one.report.results) for one in manifest.quality}
    assert told == {("source", "readings"): 2, ("set", "readings"): 1}
    assert all(one.report.failures for one in manifest.quality)
    built = manifest.quality[1].report.results[0]
    assert '"readings__value"' in built.arguments


def test_labels_that_are_not_known_yet_are_left_out_and_counted(make: Any) -> None:
    training = make('[clock]\ninstant = "2013-01-01T07:30:00Z"\n')
    made = training.build("one", SPINE, "all", "y", label_delay=timedelta(hours=1))
    assert (made.rows, made.manifest.immature) == (2, 2)
    assert training.verify("one", live=True).ok
    with pytest.raises(Refused, match="2 of 4 rows"):
        training.build("two", SPINE, "all", "y", label_delay=3600, immature="refuse")


def test_the_next_part_begins_when_the_labels_of_the_last_are_known(make: Any) -> None:
    known = SPINE.append_column("known_at", hours(6.5, 9, 8, 8))
    splits = split_by_time({"train": hour(7), "test": None})
    made = make().build("one", known, "all", "y", splits=splits, label_known_at="known_at")
    assert [(part.name, part.rows) for part in made.manifest.parts] == [("train", 1), ("test", 2)]
    gap = make().build("two", SPINE, "all", "y", splits=splits, label_delay=timedelta(hours=2))
    assert [part.rows for part in gap.manifest.parts] == [0, 2]


def test_a_set_as_served_says_so_and_verifies(make: Any) -> None:
    training = make()
    spine = SPINE.set_column(1, "event_timestamp", hours(6, 5.5, 7.9, 7))
    fresh = training.build("fresh", spine, ["readings:value"])
    made = training.build("served", spine, ["readings:value"], as_served=timedelta(hours=2))
    assert fresh.to_arrow().column("value").to_pylist() == [20, 10, 50, None]
    assert made.to_arrow().column("value").to_pylist() == [20, 10, 10, None]
    assert made.manifest.recipe.spec.as_served.interval_seconds == 7200
    assert training.verify("served").ok


def test_options_that_make_no_sense_are_refused(make: Any) -> None:
    training = make()
    with pytest.raises(Misuse, match="nearest: label_delay"):
        training.build("one", SPINE, "all", "y", label_dely=1)
    with pytest.raises(Misuse, match="contradict"):
        training.build("one", SPINE, ["readings:value"], as_of=hour(1), as_served=True)
    with pytest.raises(Misuse, match="needs a label"):
        training.build("one", SPINE, "all", label_delay=1)


_SLOW = """
import sys
from pathlib import Path
from tests.training_room import SPINE, training_in
from training import writer
import time

def slowly(*args, **kwargs):
    Path(sys.argv[2]).touch()
    time.sleep(60)

training = training_in(Path(sys.argv[1]))
writer.Draft.write = slowly
training.build("one", SPINE, "all", "y")
"""


@pytest.mark.parametrize(("how", "left"), [(signal.SIGINT, 0), (signal.SIGKILL, 1)])
def test_a_build_that_is_stopped_leaves_no_set(tmp_path: Path, how: int, left: int) -> None:
    begun = tmp_path / "begun"
    home = tmp_path / "room"
    home.mkdir()
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-c", _SLOW, str(home), str(begun)]
    with subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(how)
    training = training_in(home)
    assert training.datasets.names() == ()
    assert len(training.datasets.leftovers()) == left
    assert bool(left_behind(training)) == bool(left)
    training.collect()
    assert left_behind(training) == []
    assert pq.read_table(home / "warehouse_data" / "readings.parquet").equals(READINGS)
