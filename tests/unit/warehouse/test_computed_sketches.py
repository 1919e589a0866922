"""On-demand features are sketched by running their code apart, on what was known at the anchors."""

import pyarrow as pa
import pytest

from registry.core.definitions import JoinKey
from registry.core.published import Published, PublishedOnDemand
from registry.core.similarity.values import compare
from registry.kernel.clock import FixedClock
from registry.testing import NOON, feature, view
from tests.warehouses import hour, hours
from warehouse.computed_sketches import ComputedSketcher
from warehouse.computing import Job, Limits, compute_apart
from warehouse.testing import InMemoryEngine
from warehouse.value_sketches import ValueSketcher

QUOTIENT = """
def mean(inputs):
    pairs = zip(inputs["total"], inputs["count"])
    return {"mean": [None if not n else t / n for t, n in pairs]}
"""
MINUTES = "def sixty(i):\n    return {'sixty': [60 * v for v in i['means__mean']]}"
FRAME = "def framed(df):\n    df['framed'] = (df['total'] / df['count']).fillna(0)\n    return df"
WHOLE = (feature("total"), feature("count", "int64"), feature("quotient"))


def on_demand(code: str, name: str, *inputs: str, mode: str = "python") -> PublishedOnDemand:
    entry = code.split("def ")[1].split("(")[0]
    return PublishedOnDemand(
        "test", name, mode, entry, code, code, (feature(entry),), inputs, ()
    )  # fmt: skip


PARTS = ("parts:total", "parts:count")
VIEWS = (
    on_demand(QUOTIENT, "means", *PARTS),
    on_demand(MINUTES, "minutes", "means:mean"),
    on_demand(FRAME, "frames", *PARTS, mode="pandas"),
    on_demand("def bad(i):\n    return {'bad': [1 / 0]}", "fails", *PARTS),
    on_demand("def odd(i):\n    return {'odd': ['x' for _ in i['total']]}", "typed", *PARTS),
    on_demand(
        "def far(i):\n    return {'far': i['total']}", "apart", "parts:total", "others:total"
    ),
)
PUBLISHED = Published(
    1, NOON, "test",
    {"parts": view("parts", WHOLE), "others": view("others", WHOLE, join_keys={"other": "int64"})},
    {v.name: v for v in VIEWS},
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> InMemoryEngine:
    """Forty things with a row each every 60 hours; each seventh count is zero, no quotient."""
    rows = [(n, key) for n in range(40) for key in range(40)]
    counts = [(key * 31 + n * 17) % 7 for n, key in rows]
    totals = [float((key * 7919 + n * 104729) % 1009) for n, key in rows]
    parts = {
        "id": [key for _, key in rows],
        "event_timestamp": hours(*(60.0 * n for n, _ in rows)),
        "total": totals,
        "count": counts,
        "quotient": [t / c if c else None for t, c in zip(totals, counts, strict=True)],
    }
    return InMemoryEngine({"parts": pa.table(parts)})


def test_a_function_of_stored_features_has_the_values_of_its_query(engine: InMemoryEngine) -> None:
    clock = FixedClock(hour(2400))
    (stored,) = ValueSketcher(engine, clock)(PUBLISHED.views["parts"], ["quotient"])
    wanted = {v.name: [v.features[0].name] for v in VIEWS}
    sketches, unread = ComputedSketcher(engine, clock)(PUBLISHED, wanted)
    found = {s.ref: compare(stored, s) for s in sketches}
    assert list(found) == ["frames:framed@1", "means:mean@1", "minutes:sixty@1"]
    framed, mean, sixty = (evidence for evidence in found.values() if evidence is not None)
    assert (mean.relation, mean.null_agreement, mean.telling) == ("equal", 1.0, True)
    assert sixty.relation == "affine"
    assert sixty.slope == pytest.approx(60)
    assert (framed.relation, framed.null_agreement < 0.98) == ("equal", True)
    assert set(unread) == {"fails", "typed", "apart"}
    assert "ZeroDivisionError" in unread["fails"]


def test_what_each_request_brings_is_read_from_no_source(engine: InMemoryEngine) -> None:
    asks = PublishedOnDemand(
        "test", "asks", "python", "mean", QUOTIENT, "q", (feature("mean"),), PARTS,
        (JoinKey("extra", "float64"),),
    )  # fmt: skip
    published = Published(1, NOON, "test", PUBLISHED.views, {"asks": asks})
    sketches, unread = ComputedSketcher(engine, FixedClock(NOON))(published, {"asks": ["mean"]})
    assert not sketches
    assert "extra" in unread["asks"]


def test_code_that_does_not_end_is_stopped_and_the_next_is_run() -> None:
    loops = on_demand("def loop(i):\n    while True:\n        pass", "loops", "parts:total")
    doubled = on_demand("def twice(i):\n    return {'twice': i['total']}", "doubles", "parts:total")
    given = pa.table({"parts__total": [1.0, 2.0]})
    jobs = [Job((loops,), given), Job((doubled,), given)]
    first, second = compute_apart(jobs, Limits(seconds=1.0))
    assert first == "its code takes more than 1 seconds of processor time"
    assert isinstance(second, pa.Table)
    assert second.column("twice").to_pylist() == [1.0, 2.0]


def test_code_that_takes_too_much_memory_is_told() -> None:
    takes = on_demand("def gone(i):\n    return {'gone': [0] * 10**12}", "takes", "parts:total")
    (answer,) = compute_apart([Job((takes,), pa.table({"parts__total": [1.0]}))])
    assert isinstance(answer, str)
    assert "MemoryError" in answer
