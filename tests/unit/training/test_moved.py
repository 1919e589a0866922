import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from training.moved import compare_rows

rows = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.floats(-1e6, 1e6)), max_size=10
)


def table(content: list[tuple[int | None, float | None]]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([row[0] for row in content], pa.int64()),
            "x": pa.array([row[1] for row in content], pa.float64()),
        }
    )


@given(rows, st.randoms())
def test_another_order_is_no_move(content, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(content)
    random.shuffle(shuffled)
    assert compare_rows(table(content), table(shuffled)) is None


def test_last_bits_are_no_move() -> None:
    assert compare_rows(table([(1, 0.1 + 0.2)]), table([(1, 0.3)])) is None


def test_other_values_are_counted() -> None:
    move = compare_rows(table([(1, 1.0), (2, 2.0)]), table([(1, 1.0), (2, 2.1)]))
    assert move is not None
    assert move.sentence == "1 of 2 rows have other values"


def test_other_numbers_of_rows_are_told() -> None:
    move = compare_rows(table([(1, 1.0)]), table([]))
    assert move is not None
    assert move.sentence == "-1 rows"


def test_lists_and_nulls_are_compared() -> None:
    left = pa.table({"l": [[1], None, [2]], "s": ["a", None, "c"]})
    right = pa.table({"l": [[1], None, [3]], "s": ["a", None, "c"]})
    move = compare_rows(left, right)
    assert move is not None
    assert move.changed == 1
