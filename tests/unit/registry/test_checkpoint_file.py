import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.adapters.checkpoint_file import CheckpointFile
from registry.core.audit import Checkpoint
from registry.kernel.errors import Corrupt
from registry.testing import NOON

FIRST, SECOND = Checkpoint(1, "sha256:a", NOON, "aa", "kk"), Checkpoint(2, "sha256:b", NOON)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    book = CheckpointFile(tmp_path / "audit" / "checkpoints.jsonl")
    assert book.all() == ()
    book.keep(FIRST)
    book.keep(SECOND)
    assert book.all() == [FIRST, SECOND]


def test_a_line_that_a_crash_cut_short_is_passed_over_and_then_replaced(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.jsonl"
    book = CheckpointFile(file)
    book.keep(FIRST)
    with file.open("ab") as opened:
        opened.write(b'{"sequence": 2, "ha')
    assert book.all() == [FIRST]
    book.keep(SECOND)
    assert book.all() == [FIRST, SECOND]


def test_an_edited_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.jsonl"
    CheckpointFile(file).keep(FIRST)
    file.write_bytes(b"no\n" + file.read_bytes())
    with pytest.raises(Corrupt, match="line 1"):
        CheckpointFile(file).all()


def test_a_second_writer_waits_until_the_first_is_done(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.jsonl"
    CheckpointFile(file).keep(FIRST)
    with ThreadPoolExecutor(1) as pool, file.open("ab") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = pool.submit(CheckpointFile(file).keep, SECOND)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        fcntl.flock(first, fcntl.LOCK_UN)
        waiting.result(timeout=20)
    assert CheckpointFile(file).all() == [FIRST, SECOND]
