from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.kernel.errors import Invalid
from training.shuffle import Order, stream

ROWS = 100


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shuffle") / "rows.parquet"
    pq.write_table(pa.table({"n": range(ROWS), "x": [0.5] * ROWS}), path, row_group_size=7)
    return path


def everything(table: pa.Table) -> pa.Table:
    return table


def numbers(file: Path, order: Order) -> list[int]:
    return [n for table in stream(file, ["n"], order, everything) for n in table["n"].to_pylist()]


orders = st.builds(
    Order,
    batch_rows=st.integers(1, 40),
    shuffle=st.booleans(),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 3),
    pooled_groups=st.integers(1, 20),
)


@settings(deadline=None, max_examples=30)
@given(orders, st.integers(1, 5))
def test_each_row_comes_once_an_epoch_whoever_shares_the_work(
    file: Path, order: Order, workers: int
) -> None:
    seen = [n for w in range(workers) for n in numbers(file, order.of_worker(w, workers))]
    assert sorted(seen) == list(range(ROWS))


@settings(deadline=None, max_examples=30)
@given(orders)
def test_batches_are_full_but_the_last(file: Path, order: Order) -> None:
    sizes = [table.num_rows for table in stream(file, ["n"], order, everything)]
    assert set(sizes[:-1]) <= {order.batch_rows}
    assert 0 < sizes[-1] <= order.batch_rows


def test_an_order_is_the_same_again_and_another_by_epoch_or_seed(file: Path) -> None:
    order = Order(seed=1)
    assert numbers(file, order) == numbers(file, order)
    assert numbers(file, order) != numbers(file, Order(seed=2))
    assert numbers(file, order) != numbers(file, Order(seed=1, epoch=1))


def test_rows_of_different_groups_meet(file: Path) -> None:
    drawn = numbers(file, Order(pooled_groups=5))
    apart = np.abs(np.diff(np.array(drawn) // 7))
    assert (apart > 0).mean() > 0.6  # within one group it would be 0 for most neighbours


def test_without_shuffling_rows_stand_as_written(file: Path) -> None:
    assert numbers(file, Order(shuffle=False, batch_rows=9)) == list(range(ROWS))


def test_rows_of_a_part_alone_are_kept(file: Path) -> None:
    order = Order(batch_rows=10)
    tables = list(
        stream(file, ["n"], order, lambda t: t.filter(pa.array(t["n"].to_numpy() % 2 == 0)))
    )
    assert sorted(n for t in tables for n in t["n"].to_pylist()) == list(range(0, ROWS, 2))


def test_an_order_without_rows_is_refused(file: Path) -> None:
    with pytest.raises(Invalid, match="at least 1"):
        numbers(file, Order(batch_rows=0))
