"""Where each value of a training row came from, in Python and on the command line."""

from dataclasses import replace
from pathlib import Path

import pytest

from registry.kernel.errors import Misuse
from tests.training_room import SPINE, training_in
from tests.warehouses import hour
from training.explain import ExplainedValue, Explanation


def by_column(found: Explanation) -> dict[str, ExplainedValue]:
    return {value.column: value for value in found.values}


def test_each_value_is_traced_to_its_source_row(tmp_path: Path) -> None:
    made = training_in(tmp_path).build("one", SPINE, "all", "y")
    found = made.explain(1)  # id 1 at six: the row of five was created at seven
    value = by_column(found)["value"]
    assert (found.keys, found.time) == ({"id": 1}, hour(6))
    assert (value.value, value.source) == (10.0, "readings")
    assert (value.event_time, value.created_time) == (hour(1), hour(1))
    assert value.age_seconds == 5 * 3600
    assert value.source_row is not None
    assert value.source_row["known_at"] == hour(1)
    assert "computed on demand from readings:value, y" in str(found)


def test_what_was_not_found_is_said_with_the_reason(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    training.build("one", SPINE, "all", "y")
    missing = by_column(training.explain("one", 3))["value"]
    assert missing.value is None
    assert missing.reason == "no row of that key had happened and was known by then"
    assert missing.source_row is None


def test_a_value_past_its_ttl_is_told_with_the_row_that_was_left_out(tmp_path: Path) -> None:
    training = training_in(tmp_path)
    state = training.registry.published()
    short = replace(state.views["readings"], ttl_seconds=3600.0)
    training.registry.state = replace(state, views={**state.views, "readings": short})  # type: ignore[attr-defined]
    training.build("one", SPINE, "all", "y")
    late = by_column(training.explain("one", 0))["value"]
    assert late.value is None
    assert late.reason == "the newest row is older than the ttl of 3600 s"
    assert (late.event_time, late.source_row and late.source_row["value"]) == (hour(2), 20.0)


def test_a_row_that_is_not_there_is_refused(tmp_path: Path) -> None:
    made = training_in(tmp_path).build("one", SPINE, "all", "y")
    with pytest.raises(Misuse, match="rows are 0 to 3"):
        made.explain(4)
