from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.kernel.errors import Invalid, NotFound
from tests.warehouses import hour, hours
from training.splits import assign_parts, rows_of, split_by_group, split_by_time

TABLE = pa.table({"t": hours(1, 5, 3, None, 9), "g": ["a", "b", "a", "c", None]})


def parts(splits, table=TABLE):  # type: ignore[no-untyped-def]
    return assign_parts(table, "t", splits, "UTC").tolist()


def test_time_splits_end_before_their_instant() -> None:
    assert parts(split_by_time({"train": hour(5), "test": None})) == [0, 1, 0, -1, 1]


def test_a_last_part_may_end_too() -> None:
    assert parts(split_by_time({"train": hour(3), "test": hour(9)})) == [0, 1, 1, -1, -1]


def test_a_gap_leaves_out_rows_whose_label_was_not_known() -> None:
    splits = split_by_time({"train": hour(5), "test": None}, gap_seconds=2 * 3600)
    assert parts(splits) == [0, 1, -1, -1, 1]


def test_naive_times_are_split_in_their_zone() -> None:
    local = pa.table({"t": hours(1).cast(pa.timestamp("us"))})
    splits = split_by_time({"train": hour(3), "test": None})
    assert assign_parts(local, "t", splits, "UTC").tolist() == [0]
    assert assign_parts(local, "t", splits, "America/New_York").tolist() == [1]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.none() | st.integers(0, 30), max_size=60), st.text(max_size=2))
def test_a_group_is_never_in_two_parts(groups: list[int | None], seed: str) -> None:
    table = pa.table({"t": hours(*[1] * len(groups)), "g": pa.array(groups, pa.int64())})
    found = parts(split_by_group("g", {"train": 0.6, "test": 0.4}, seed), table)
    for group in set(groups):
        of_group = {part for part, g in zip(found, groups, strict=True) if g == group}
        assert len(of_group) == 1
        assert (of_group == {-1}) == (group is None)


def test_groups_fall_into_parts_by_share() -> None:
    table = pa.table({"t": hours(*[1] * 2000), "g": list(range(2000))})
    found = parts(split_by_group("g", {"train": 0.8, "test": 0.2}), table)
    assert 1500 < found.count(0) < 1700


def test_rows_of_a_part_stay_in_order() -> None:
    splits = split_by_time({"train": hour(5), "test": None})
    assert rows_of(TABLE, "train", "t", splits, "UTC").column("t").to_pylist() == [hour(1), hour(3)]
    with pytest.raises(NotFound, match="nearest: train"):
        rows_of(TABLE, "trian", "t", splits, "UTC")


@pytest.mark.parametrize(
    "ends",
    [
        {},
        {"a": None, "b": None},
        {"a": hour(2), "b": hour(1)},
        {"a": hour(1).replace(tzinfo=None), "b": None},
    ],
)
def test_time_splits_that_make_no_sense_are_refused(ends) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Invalid):
        split_by_time(ends)


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(Invalid, match="sum to 1"):
        split_by_group("g", {"a": 0.5, "b": 0.6})


def test_a_gap_is_not_negative() -> None:
    with pytest.raises(Invalid):
        split_by_time({"a": hour(1) + timedelta(hours=1), "b": None}, gap_seconds=-1)
