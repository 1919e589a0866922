import pyarrow as pa
import pytest

from registry.kernel.errors import Invalid, Misuse, Refused
from tests.warehouses import hour, hours
from training.maturity import Maturity, check_maturity, ripe_rows

TABLE = pa.table({"t": hours(1, 5, None), "known": hours(9, 2, 3), "n": [0, 1, 2]})


def left(maturity: Maturity, now: float) -> list[int]:
    found = ripe_rows(TABLE, maturity, "t", "UTC", hour(now))
    assert found.left_out + found.table.num_rows == TABLE.num_rows
    kept: list[int] = found.table.column("n").to_pylist()
    return kept


def test_a_row_counts_once_its_label_has_had_time_to_ripen() -> None:
    day = Maturity(delay_seconds=3600)
    assert left(day, 1.9) == []
    assert left(day, 2) == [0]
    assert left(day, 6) == [0, 1]


def test_a_column_may_say_when_the_label_was_known() -> None:
    assert left(Maturity(known_column="known"), 8.5) == [1, 2]


def test_rows_that_are_not_ripe_may_be_refused() -> None:
    with pytest.raises(Refused, match="2 of 3 rows"):
        left(Maturity(delay_seconds=60, immature="refuse"), 3)


def test_what_makes_no_sense_is_said() -> None:
    with pytest.raises(Misuse, match="nearest: known"):
        check_maturity(Maturity(known_column="knwon"), TABLE.column_names)
    with pytest.raises(Invalid, match="too early"):
        check_maturity(Maturity(delay_seconds=-1), [])
