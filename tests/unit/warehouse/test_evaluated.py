"""Queries' answers are kept while what they read stays the same, and no longer."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Source
from registry.kernel.errors import Unavailable
from tests.warehouses import duckdb_engine, hours, put_tables
from warehouse import evaluated
from warehouse.engines.duckdb_queries import is_settled
from warehouse.evaluated import IN_USE_SECONDS, EvaluatedQueries

TABLE = pa.table({"n": [1, 2, 3]})


class Counting:
    """A query that counts how often it was run."""

    runs = 0

    @contextmanager
    def __call__(self) -> Iterator[pa.RecordBatchReader]:
        self.runs += 1
        yield TABLE.to_reader()


def test_an_answer_is_evaluated_once_for_one_mark(tmp_path: Path) -> None:
    kept, query = EvaluatedQueries(tmp_path, 1 << 20), Counting()
    files = {kept.keep(mark, query) for mark in ("a", "a", "b")}
    assert (query.runs, len(files)) == (2, 2)
    assert all(pq.read_table(file).equals(TABLE) for file in files)


def test_threads_that_ask_at_once_are_given_one_evaluation(tmp_path: Path) -> None:
    kept, query = EvaluatedQueries(tmp_path, 1 << 20), Counting()
    together = Barrier(4)

    def ask(_: int) -> Path:
        together.wait()
        return kept.keep("a", query)

    with ThreadPoolExecutor(4) as pool:
        files = set(pool.map(ask, range(4)))
    assert (query.runs, len(files)) == (1, 1)


def test_what_nothing_vouches_for_is_evaluated_each_time(tmp_path: Path) -> None:
    kept, query = EvaluatedQueries(tmp_path, 1 << 20), Counting()
    assert kept.keep(None, query) != kept.keep(None, query)
    assert query.runs == 2


def test_the_longest_unused_go_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    kept, query = EvaluatedQueries(tmp_path, 0), Counting()
    old, fresh = kept.keep("old", query), kept.keep("fresh", query)
    long_ago = time.time() - 2 * IN_USE_SECONDS
    os.utime(old, (long_ago, long_ago))
    kept.keep("another", query)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_stopped_evaluation_leaves_nothing(tmp_path: Path) -> None:
    @contextmanager
    def stopped() -> Iterator[pa.RecordBatchReader]:
        raise KeyboardInterrupt
        yield TABLE.to_reader()

    with pytest.raises(KeyboardInterrupt):
        EvaluatedQueries(tmp_path / "kept", 1).keep("a", stopped)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_disk_that_does_not_take_it_is_said(tmp_path: Path) -> None:
    @contextmanager
    def full() -> Iterator[pa.RecordBatchReader]:
        yield TABLE.to_reader()
        raise OSError(28, "No space left on device")

    with pytest.raises(Unavailable, match="free some disk space"):
        EvaluatedQueries(tmp_path, 1).keep("a", full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("SELECT * FROM readings", True),
        ("SELECT now() AS at FROM readings", False),
        ("SELECT current_date AS at", False),
        ("SELECT random() AS x", False),
        ("SELECT * FROM readings USING SAMPLE 5", False),
        ("SELECT today() - at FROM readings", False),
        ("SELECT uuid() AS id", False),
    ],
)
def test_queries_that_ask_for_clock_or_chance_are_not_settled(text: str, settled: bool) -> None:
    assert is_settled(text) == settled


def test_a_source_has_another_mark_once_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluated, "_TICK_SECONDS", -1.0)
    table = pa.table({"id": [1], "at": hours(1), "x": [1.0]})
    engine = duckdb_engine(tmp_path, {"past": table})
    asked = Source("asked", "sql", query="SELECT * FROM past", timestamp_field="at")
    clock = Source("clock", "sql", query="SELECT *, now() FROM past", timestamp_field="at")
    first = engine.mark(asked)
    assert (engine.mark(asked), engine.mark(clock)) == (first, None)
    with engine.read(asked) as reader:
        assert reader.read_all().num_rows == 1
    (folder,) = tmp_path.glob("warehouse-*")
    put_tables(folder, {"past": pa.concat_tables([table, table])})
    assert engine.mark(asked) != first
    with engine.read(asked) as reader:
        assert reader.read_all().num_rows == 2
