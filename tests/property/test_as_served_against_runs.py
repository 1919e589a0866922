"""Rows as served against a store that runs really write, run by run, and that lookups read."""

from datetime import datetime, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.testing import feature, published, view
from tests.warehouses import INSTANT, hour, source
from training.assemble import assemble
from training.recipe import make_recipe
from training.served import AsServed
from training.spec import TrainingSpec
from warehouse.testing import InMemoryEngine

instants = st.builds(
    lambda m, us: hour(0) + timedelta(minutes=10 * m, microseconds=us),
    st.integers(0, 40),
    st.integers(0, 1),
)
past_rows = st.lists(
    st.tuples(st.integers(0, 1), instants, st.none() | instants),
    max_size=12,
    unique_by=lambda row: (row[0], row[1], max(row[1], row[2] or row[1])),
)
spine_rows = st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | instants), max_size=8)
schedules = st.builds(
    AsServed,
    interval_seconds=st.sampled_from([600.0, 3600.0, 5400.0]),
    offset_seconds=st.sampled_from([0.0, 300.0, -900.0, 7200.0]),
    lag_seconds=st.sampled_from([0.0, 60.0, 4000.0]),
)
ttls = st.none() | st.sampled_from([600.0, 3600.0, 7200.0])
Past = list[tuple[int, datetime, datetime | None]]


def served(
    past: Past, key: int | None, at: datetime | None, plan: AsServed, ttl: float | None
) -> int | None:
    """What a lookup at `at` reads, after every run until then has written in turn."""
    if at is None:
        return None
    run = hour(-24) + timedelta(seconds=plan.offset_seconds)
    store: dict[int, tuple[datetime, datetime, int]] = {}
    while run + timedelta(seconds=plan.lag_seconds) <= at:
        for number, (row_key, event, created) in enumerate(past):
            known = created or event
            if max(event, known) <= run:
                row = (event, known, number)
                store[row_key] = max(store.get(row_key, row), row)
        run += timedelta(seconds=plan.interval_seconds)
    found = store.get(key) if key is not None else None
    if found is None or (ttl is not None and found[0] < at - timedelta(seconds=ttl)):
        return None
    return found[2]


@settings(deadline=None)
@given(past_rows, spine_rows, schedules, ttls)
def test_a_row_sees_what_a_lookup_at_its_time_would_have_read(
    past: Past,
    spine: list[tuple[int | None, datetime | None]],
    plan: AsServed,
    ttl: float | None,
) -> None:
    history = pa.table(
        {
            "id": pa.array([row[0] for row in past], pa.int64()),
            "at": pa.array([row[1] for row in past], INSTANT),
            "known_at": pa.array([row[2] for row in past], INSTANT),
            "n": pa.array(range(len(past)), pa.int64()),
        }
    )
    rows = pa.table(
        {
            "id": pa.array([row[0] for row in spine], pa.int64()),
            "t": pa.array([row[1] for row in spine], INSTANT),
        }
    )
    past_view = view(
        "past", [feature("n", "int64")], source=source("past", created=True), ttl_seconds=ttl
    )
    spec = TrainingSpec("one", ("past:n",), time_column="t", as_served=plan)
    recipe = make_recipe(spec, published(past_view), rows.column_names)
    made = assemble(rows, recipe, InMemoryEngine({"past": history}))
    expected = [served(past, key, at, plan, ttl) for key, at in spine]
    assert made.table.column("n").to_pylist() == expected
    assert made.answers[0].found.to_pylist() == [value is not None for value in expected]
