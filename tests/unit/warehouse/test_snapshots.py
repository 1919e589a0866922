from pathlib import Path

import pyarrow as pa
import pytest

from registry.kernel.errors import NotFound, Unavailable
from warehouse.snapshots import SnapshotStore

TABLE = pa.table({"a": [1, 2, None], "s": ["x", None, "z"]})


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    kept = store.keep(TABLE.to_reader())
    assert store.read(kept.digest).equals(TABLE)
    assert store.find(kept.digest) == kept


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    first, second = store.keep(TABLE.to_reader()), store.keep(TABLE.to_reader(max_chunksize=1))
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_a_reader_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    def batches():  # type: ignore[no-untyped-def]
        yield from TABLE.to_batches()
        raise KeyboardInterrupt

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(KeyboardInterrupt):
        SnapshotStore(tmp_path).keep(reader)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_error(tmp_path: Path) -> None:
    def batches():  # type: ignore[no-untyped-def]
        yield from TABLE.to_batches()
        raise OSError(28, "No space left on device")

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(Unavailable, match="No space left"):
        SnapshotStore(tmp_path).keep(reader)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_snapshot_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no snapshot 'abc'"):
        SnapshotStore(tmp_path).find("sha256:abc")


def test_a_snapshot_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    kept = store.keep(TABLE.to_reader())
    kept.path.write_bytes(kept.path.read_bytes()[:50])
    assert store.keep(TABLE.to_reader()) == kept
    assert store.read(kept.digest).equals(TABLE)


def test_a_snapshot_that_is_there_is_left_alone_since_it_may_be_being_read(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    before = store.keep(TABLE.to_reader()).path.stat()
    after = store.keep(TABLE.to_reader()).path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_what_a_failed_build_wrote_goes_unless_something_refers_to_it(tmp_path: Path) -> None:
    store, kept = SnapshotStore(tmp_path), []
    with (
        pytest.raises(RuntimeError),
        store.building(lambda: [kept[1].digest]) as building,
    ):
        kept += [building.keep(TABLE.slice(n).to_reader()) for n in range(2)]
        raise RuntimeError
    assert [one.path.exists() for one in kept] == [False, True]


def test_what_a_failed_build_wrote_stays_while_another_builds(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    with store.building(list):
        with pytest.raises(RuntimeError), store.building(list) as building:
            kept = building.keep(TABLE.to_reader())
            raise RuntimeError
        assert kept.path.exists()
    assert store.sweep(list) == [kept.path]
