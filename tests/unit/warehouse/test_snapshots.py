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
