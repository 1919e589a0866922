import pyarrow as pa

from registry.kernel.clock import FixedClock
from registry.testing import feature, view
from tests.warehouses import hour, memory_engine, source
from warehouse.samples import NewestValues


def readings(name: str, ids: list[int]) -> pa.Table:
    at = pa.array([hour(1)] * len(ids), pa.timestamp("us", tz="UTC"))
    return pa.table({"id": ids, "at": at, "x": [float(n) for n in ids], name: ids})


def test_two_views_are_sampled_at_the_same_keys(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tables = {"a": readings("p", list(range(50))), "b": readings("q", list(range(49, -1, -1)))}
    read = NewestValues(memory_engine(tmp_path, tables), FixedClock(hour(2)))
    left, right = (read(view(n, [feature("x")], source=source(n)), 10) for n in "ab")
    assert left.equals(right)
    assert left.column_names == ["id", "x"]
    assert left.num_rows == 10


def test_what_is_not_known_yet_is_not_sampled(tmp_path) -> None:  # type: ignore[no-untyped-def]
    read = NewestValues(memory_engine(tmp_path, {"a": readings("p", [1])}), FixedClock(hour(0)))
    assert read(view("a", [feature("x")], source=source("a")), 10).num_rows == 0
