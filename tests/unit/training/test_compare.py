"""Rows compared bucket by bucket, against the same comparison with all of them in memory."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.kernel.errors import Unavailable
from training.buckets import Bucketed, bucket_of
from training.compare import Room, Rows, compare_batches
from training.moved import Move, compare_rows, plain_column

SCHEMA = pa.schema(
    [("id", pa.int32()), ("name", pa.string()), ("at", pa.timestamp("us")), ("x", pa.float64())]
)
rows = st.lists(
    st.tuples(
        st.none() | st.integers(-1, 2),
        st.none() | st.sampled_from("ab"),
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, float("nan")]),
    ),
    max_size=12,
)


def table(content: list[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*content, strict=True) if content else [[] for _ in SCHEMA]
    return pa.table(list(columns), schema=SCHEMA)


def in_batches(held: pa.Table) -> Rows:
    return Rows(held.schema, iter(held.to_batches(max_chunksize=2)), held.num_rows)


def compare(kept: pa.Table, now: pa.Table, who: list[str], room: Room) -> Move | None:
    return compare_batches(in_batches(kept), in_batches(now), who, "at", room)


@settings(deadline=None, max_examples=25)
@given(rows, rows, st.sampled_from([["id", "name", "at"], ["x", "at"], ["at"], []]))
def test_buckets_find_what_all_in_memory_finds(
    tmp_path_factory: pytest.TempPathFactory, kept: Any, now: Any, who: list[str]
) -> None:
    known = compare_rows(table(kept), table(now), who, "at")
    for most_bytes in (1, 1_000):  # every batch spills, or some do
        room = Room(tmp_path_factory.getbasetemp(), most_bytes)
        assert compare(table(kept), table(now), who, room) == known


def test_what_is_laid_aside_leaves_no_file(tmp_path: Path) -> None:
    held = table([(n, "a", 1, 1.0) for n in range(50)])
    assert compare(held, held.slice(1), ["id"], Room(tmp_path, 1)) == Move(50, 49, removed=1)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_does_not_take_rows_is_one_error(tmp_path: Path) -> None:
    held = table([(1, "a", 1, 1.0)])
    with pytest.raises(Unavailable, match="cannot lay rows aside"):
        compare(held, held, ["id"], Room(tmp_path / "gone", 1))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, 2**64 - 1, 1, 1], pa.uint64()),
        pa.array(["a", None, "", "a", "a"]).dictionary_encode(),
        pa.array([0.1 + 0.2, None, float("nan"), 0.3, 0.3]),
        pa.array([[1, None], None, [], [1, None], [1, None]]),
    ],
)
def test_equal_values_share_a_bucket_and_others_seldom(values: pa.Array) -> None:
    column = pa.chunked_array([values.slice(0, 2), values.slice(2)])
    found = bucket_of([column], 5, 1_000_000)
    assert found[0] == found[3] == found[4]
    assert len(set(found.tolist())) == len(plain_column(column).unique())


def test_rows_come_back_in_their_order_from_one_bucket(tmp_path: Path) -> None:
    held = table([(n % 3, None, n % 4, n / 4) for n in range(30)])
    heap = Bucketed(tmp_path, SCHEMA, ["id"], 8, 100)
    for batch in held.to_batches(max_chunksize=4):
        heap.add(batch)
    heap.spill()
    found = pa.concat_tables([heap.bucket(number) for number in range(8)])
    heap.close()
    for key in range(3):
        ours = held.filter(pa.compute.equal(held["id"], key))
        assert found.filter(pa.compute.equal(found["id"], key)).equals(ours)
