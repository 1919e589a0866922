from datetime import timedelta

import pyarrow as pa
import pytest

from registry.kernel.errors import Invalid
from tests.warehouses import hour, hours
from training.served import AsServed, last_runs, schedule


def test_a_time_goes_back_to_the_last_run_that_was_done() -> None:
    plan = AsServed(interval_seconds=3600, offset_seconds=600, lag_seconds=300)
    times = pa.chunked_array([hours(1.2, 1.25, 2.2, None)])
    done = [hour(1 / 6), hour(1 + 1 / 6), hour(1 + 1 / 6), None]
    assert last_runs(times, plan, "UTC").to_pylist() == done


def test_nanoseconds_stay_nanoseconds() -> None:
    times = pa.chunked_array([hours(5.5).cast(pa.timestamp("ns", tz="UTC"))])
    found = last_runs(times, AsServed(interval_seconds=3600), "UTC")
    assert found.cast(pa.timestamp("us", tz="UTC")).to_pylist() == [hour(5)]
    assert found.type.unit == "ns"


def test_the_schedule_is_the_projects_own_unless_said() -> None:
    assert schedule(True, 900) == AsServed(interval_seconds=900)
    assert schedule(timedelta(hours=2), 900) == AsServed(interval_seconds=7200)
    assert schedule(None, 900) is None
    with pytest.raises(Invalid, match="positive interval"):
        schedule(timedelta(0, -5), 900)
