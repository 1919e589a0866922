from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.moved import Move, changed_rows, compare_rows

rows = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.integers(0, 2), st.none() | st.floats(-1e6, 1e6)),
    max_size=10,
)
Row = tuple[int | None, int, float | None]
WHO = ("id", "at")


def table(content: list[Row]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([row[0] for row in content], pa.int64()),
            "at": pa.array([row[1] for row in content], pa.int64()),
            "x": pa.array([row[2] for row in content], pa.float64()),
        }
    )


def compare(kept: list[Row], now: list[Row]) -> Move | None:
    return compare_rows(table(kept), table(now), WHO, "at")


@settings(deadline=None, max_examples=40)
@given(rows, st.randoms())
def test_another_order_is_no_move(content, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(content)
    random.shuffle(shuffled)
    assert compare(content, shuffled) is None


small = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 1.0, 2.0])))


@settings(deadline=None, max_examples=40)
@given(small, small)
def test_rows_are_counted_as_bags_would_count_them(kept: list[Row], now: list[Row]) -> None:
    more, fewer = Counter(now) - Counter(kept), Counter(kept) - Counter(now)
    who = {row[:2] for row in kept}
    appended = [row for row in more.elements() if row[:2] not in who]
    others = [row for row in more.elements() if row[:2] in who]
    newest = max((row[1] for row in kept), default=0)
    expected = Move(
        rows=len(kept),
        rows_now=len(now),
        appended=len(appended),
        late=sum(row[1] < newest for row in appended),
        corrected=sum(row not in kept for row in others),
        repeated=sum(row in kept for row in others),
        removed=sum(row[:2] not in {o[:2] for o in others} for row in fewer.elements()),
    )
    assert (compare(kept, now) or Move(len(kept), len(now))) == expected


def test_last_bits_are_no_move() -> None:
    assert compare([(1, 0, 0.1 + 0.2)], [(1, 0, 0.3)]) is None
    assert compare([(1, 0, 1.0000000005)], [(1, 0, 1.00000000049999)]) is None


def test_the_move_is_told_in_words() -> None:
    move = compare(
        [(1, 1, 1.0), (2, 5, 2.0), (3, 1, 0.0)],
        [(1, 1, 1.5), (2, 5, 2.0), (2, 5, 2.0), (2, 4, 0.0), (2, 6, 0.0)],
    )
    assert move is not None
    assert move.sentence == (
        "2 rows appended (1 of them older than the newest kept),"
        " 1 row corrected, 1 row repeated, 1 row removed"
    )


def test_a_column_of_another_type_is_told() -> None:
    move = compare_rows(pa.table({"a": [1]}), pa.table({"a": ["1"]}))
    assert move is not None
    assert move.sentence == "other types now: a (int64 → string)"


def test_lists_and_nulls_are_compared() -> None:
    left = pa.table({"l": [[1], None, [2]], "s": ["a", None, "c"]})
    right = pa.table({"l": [[1], None, [3]], "s": ["a", None, "c"]})
    move = compare_rows(left, right, ["s"])
    assert move is not None
    assert move.corrected == 1


def test_rows_side_by_side_are_compared_by_column() -> None:
    before = table([(1, 0, 1.0), (2, 0, None)])
    assert changed_rows(before, before) == (0, ())
    assert changed_rows(before, table([(1, 0, 1.5), (3, 0, None)])) == (2, ("id", "x"))
