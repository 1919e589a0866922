"""A small warehouse with two views and an on-demand one, and training over it, for tests."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from registry.core.definitions import JoinKey, Source
from registry.core.published import Published, PublishedOnDemand
from registry.testing import InMemoryRegistry, feature, published, view
from tests.warehouses import hours, project, put_tables, source
from training.bootstrap import open_training
from training.build import Training

READINGS = pa.table(
    {
        "id": [1, 1, 2],
        "at": hours(1, 5, 2),
        "known_at": hours(1, 7, 2),
        "value": [10.0, 50.0, 20.0],
        "kind": ["a", "b", None],
    }
)
SPINE = pa.table(
    {
        "id": [2, 1, 1, 3],
        "event_timestamp": hours(6, 6, 7, 7),
        "y": [0, 1, 0, 1],
        "value_y": list("abcd"),
    }
)
DOUBLE = """
def doubled(inputs):
    return {"double": [v and v * f for v, f in zip(inputs["value"], inputs["y"])]}
"""


def state() -> Published:
    """Views readings (value, kind) and counts (n), on-demand doubled, and service all."""
    readings = view(
        "readings",
        [feature("value"), feature("kind", "string")],
        source=source("readings", created=True),
    )
    query = Source(
        "counted",
        "sql",
        query='SELECT id, max("at") AS "at", count(*) AS n FROM readings GROUP BY id',
        timestamp_field="at",
    )
    counted = view("counts", [feature("n", "int64")], source=query)
    doubled = PublishedOnDemand(
        namespace="test",
        name="doubled",
        mode="python",
        entry="doubled",
        code=DOUBLE,
        code_digest="sha256:double",
        features=(feature("double"),),
        inputs=("readings:value",),
        request_fields=(JoinKey("y", "int64"),),
    )
    both = published(readings, counted)
    both = replace(both, on_demand={"doubled": doubled})
    refs = ("readings:value", "readings:kind", "counts:n", "doubled:double")
    service = published(readings, counted, services={"all": refs[:3]}).services["all"]
    pins = (*service.features, both.resolve(refs[3]))
    return replace(both, services={"all": replace(service, features=pins)})


def training_in(folder: Path, text: str = "", **tables: pa.Table) -> Training:
    """Training over `READINGS` and `tables` in a folder whose fieldhouse.toml is `text`."""
    put_tables(folder, {"readings": READINGS, **tables})
    return open_training(project(folder, text), InMemoryRegistry(state()))
