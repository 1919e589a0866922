from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from registry.core.similarity.values import compare
from registry.kernel.clock import FixedClock
from registry.testing import feature, view
from tests.warehouses import hour, hours
from warehouse.anchors import RULER, anchors_before
from warehouse.testing import InMemoryEngine
from warehouse.value_sketches import ValueSketcher

NOW = datetime(2013, 3, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("later", range(0, 62, 7))
def test_anchors_lie_any_number_of_days_apart_and_most_hours(later: int) -> None:
    found = anchors_before(NOW + timedelta(days=later), 1)
    apart = {late - early for early in found for late in found}
    assert {timedelta(days=n) for n in range(1, 31)} <= apart
    assert {timedelta(hours=n) for n in (*range(1, 14), 16, 17)} <= apart
    assert len(found) == RULER
    assert list(found) == sorted(set(found))
    assert max(found) <= NOW + timedelta(days=later)


@pytest.mark.parametrize("fewer", [1, 4, 5, 30, 200])
def test_fewer_anchors_are_some_of_more(fewer: int) -> None:
    assert set(anchors_before(NOW, fewer)) <= set(anchors_before(NOW, 300))


def test_sketches_of_the_next_day_share_most_anchors() -> None:
    for count in (1, 40):
        today, tomorrow = (set(anchors_before(NOW + timedelta(days=d), count)) for d in (0, 1))
        assert len(today & tomorrow) >= len(today) - 2


@pytest.fixture
def sketcher() -> ValueSketcher:
    """Ten things, one row of each every 40 hours, in two tables: values, and values in cents."""
    times = [40.0 * n for n in range(60) for _ in range(10)]
    ids = [key for _ in range(60) for key in range(10)]
    values = [float((key * 7919 + n * 104729) % 1009) for n in range(60) for key in range(10)]
    tags = pa.array([["a"]] * len(ids), pa.list_(pa.string()))
    euros = pa.table({"id": ids, "event_timestamp": hours(*times), "amount": values, "tags": tags})
    cents = pa.table(
        {
            "id": pa.array(ids, pa.int32()),
            "event_timestamp": hours(*times),
            "price": [int(v * 100) for v in values],
        }
    )
    engine = InMemoryEngine({"euros": euros, "cents": cents})
    return ValueSketcher(engine, FixedClock(hour(2400)))


def test_a_sketch_holds_what_was_known_at_each_anchor(sketcher: ValueSketcher) -> None:
    (sketch,) = sketcher(view("euros", [feature("amount")], ttl_seconds=60.0), ["amount"])
    assert sketch.ref == "euros:amount@1"
    assert sketch.values.shape == (len(sketch.anchors), 10)
    place, anchor = len(sketch.anchors) - 1, sketch.anchors[-1]
    n = (anchor - hour(0)) // timedelta(hours=40)
    known = sorted(float((key * 7919 + n * 104729) % 1009) for key in range(10))
    assert sorted(sketch.values[place]) == known


def test_sketches_of_one_entity_are_comparable_across_tables_and_types(
    sketcher: ValueSketcher,
) -> None:
    (left,) = sketcher(view("euros", [feature("amount")]), ["amount"])
    cents = view("cents", [feature("price", "int64")], join_keys={"id": "int32"})
    (right,) = sketcher(cents, ["price"])
    found = compare(left, right)
    assert found is not None
    assert (found.relation, found.telling) == ("affine", True)
    assert found.slope == pytest.approx(100)


def test_what_cannot_be_sketched_is_left_out(sketcher: ValueSketcher) -> None:
    wide = view("euros", [feature("amount"), feature("tags", "list<string>")])
    assert [s.ref for s in sketcher(wide, ["amount", "tags"])] == ["euros:amount@1"]
    assert sketcher(wide, ["tags"]) == ()
