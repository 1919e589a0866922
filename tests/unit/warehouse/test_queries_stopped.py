from pathlib import Path

import pytest

from registry.core.definitions import Source
from registry.kernel.errors import Unavailable
from registry.testing import feature, view
from tests.warehouses import project
from warehouse.bootstrap import open_sketches

ENDLESS = "SELECT a.i AS id, now() AS at, 1.0 AS x FROM range(1000000000) a(i), range(1000000000) b"


def test_a_query_of_a_new_feature_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    sketch = open_sketches(project(tmp_path, "[duplicates]\nseconds = 0.3\n"))
    source = Source("endless", "sql", query=ENDLESS, timestamp_field="at")
    with pytest.raises(Unavailable, match="it took longer than it may, and was stopped"):
        sketch(view("slow", [feature("x")], source=source), ["x"])
