from pathlib import Path

import pyarrow as pa

from registry.kernel.clock import FixedClock
from registry.testing import feature, view
from registry.vocabulary import expect
from tests.warehouses import hour, hours, memory_engine, source
from warehouse.sample_quality import SampledExpectations

PAST = pa.table({"id": [1, 1, 2], "at": hours(1, 2, 3), "x": [99.0, 1.0, -1.0], "other": [1, 2, 3]})


def test_newest_rows_are_held_to_what_concerns_them(tmp_path: Path) -> None:
    promised = view(
        "past",
        [feature("x")],
        source=source("past"),
        expectations=(expect.between("x", 0, 50), expect.between("other", 5), expect.not_null("x")),
    )
    engine = memory_engine(tmp_path, {"past": PAST})
    (sentence,) = SampledExpectations(engine, FixedClock(hour(9)))(promised)
    assert "to_be_between" in sentence
    assert "1 values (50.00%)" in sentence
