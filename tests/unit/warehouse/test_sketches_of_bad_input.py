"""Strange sources: a sketch is made of what can be read, and says nothing where nothing can be."""

import math

import pyarrow as pa
import pytest

from registry.core.similarity.values import ValueSketch, compare
from registry.core.similarity.verdict import judge_pair
from registry.kernel.clock import FixedClock
from registry.kernel.errors import FieldhouseError
from registry.testing import feature, view
from tests.warehouses import hour, hours
from warehouse.testing import InMemoryEngine
from warehouse.value_sketches import ValueSketcher

ROWS = [(n, key) for n in range(40) for key in range(20)]
NUMBERS = [float((key * 7919 + n * 104729) % 1009) for n, key in ROWS]


def table(ids: object, values: object) -> pa.Table:
    times = hours(*(60.0 * n for n, _ in ROWS))
    return pa.table({"id": ids, "event_timestamp": times, "amount": values})


def sketched(data: pa.Table, key: str = "int64", dtype: str = "float64") -> list[ValueSketch]:
    engine = InMemoryEngine({"things": data})
    made = ValueSketcher(engine, FixedClock(hour(2400)))
    return list(made(view("things", [feature("amount", dtype)], join_keys={"id": key}), ["amount"]))


KEYS = [key for _, key in ROWS]
(PLAIN,) = sketched(table(KEYS, NUMBERS))


def test_keys_of_another_type_are_the_same_keys() -> None:
    (texts,) = sketched(table([str(key) for key in KEYS], NUMBERS), "string")
    found = compare(PLAIN, texts)
    assert found is not None
    assert (found.relation, found.telling) == ("equal", True)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([math.nan] * len(ROWS), "float64"),
        ([math.inf if n % 2 else -math.inf for n, _ in ROWS], "float64"),
        (["x" * 2**16 + str(key % 3) for _, key in ROWS], "string"),
        ([None] * len(ROWS), "float64"),
        ([1e308] * len(ROWS), "float64"),
    ],
    ids=["nan", "infinite", "long texts", "null", "huge"],
)
def test_values_that_tell_nothing_block_and_ask_nothing(values: list[object], dtype: str) -> None:
    column = pa.array(values, pa.string() if dtype == "string" else pa.float64())
    for strange in sketched(table(KEYS, column), dtype=dtype):
        for other in (PLAIN, strange):
            found = compare(other, strange)
            judged = judge_pair(same_definition=False, same_shape=False, values=found)
            assert judged.verdict == "distinct"


def test_an_empty_source_has_no_sketch_and_a_missing_one_is_an_error_with_its_name() -> None:
    assert sketched(table(KEYS, NUMBERS).slice(0, 0)) == []
    engine = InMemoryEngine({"others": table(KEYS, NUMBERS)})
    with pytest.raises(FieldhouseError, match="things"):
        ValueSketcher(engine, FixedClock(hour(2400)))(
            view("things", [feature("amount")]), ["amount"]
        )
