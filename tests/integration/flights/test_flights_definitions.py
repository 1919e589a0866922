"""What the feature repository promises: facts on each feature, keys alone, columns that fit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fieldhouse.demo.spine import SERVICE
from registry.core.definitions import Source
from registry.kernel.settings import Settings
from registry.kernel.types import arrow_type
from warehouse.bootstrap import open_engine

ROOT = Path(__file__).parents[3]
REPOSITORY = ROOT / "feature_repo"
DTYPES = {"Float64": "float64", "Int64": "int64", "Int32": "int32", "String": "string"}

# Run in a process of its own: importing Feast takes seconds and the files have common names.
LISTING = """
import importlib, json, pathlib, services
from registry.vocabulary.governed import read_tags

def facts(tags):
    said = read_tags(tags).facts
    return {"owner": said.owner, "state": said.state, "unit": said.unit}

views = {}
for file in sorted(pathlib.Path(".").glob("*/*.py")):
    view = getattr(importlib.import_module(f"{file.parent.name}.{file.stem}"), file.stem)
    source = view.batch_source
    views[view.name] = {
        "domain": file.parent.name,
        "keys": {c.name: str(c.dtype) for c in view.entity_columns},
        "features": {
            f.name: {**facts(f.tags), "dtype": str(f.dtype), "description": f.description}
            for f in view.features
        },
        "source": {
            "name": source.name,
            "query": getattr(source, "query", None) or None,
            "timestamp": source.timestamp_field,
            "created": source.created_timestamp_column or None,
        },
        **facts(view.tags),
    }
found = {"views": views, "services": {
    s.name: [[p.name, f.name] for p in s.feature_view_projections for f in p.features]
    for s in (services.flight_delay, services.airport_status)
}}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def repository() -> dict[str, Any]:
    """The views and services as Feast sees them."""
    ran = subprocess.run(
        [sys.executable, "-c", LISTING],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_there_are_features_enough_in_every_domain(repository: dict[str, Any]) -> None:
    views = repository["views"].values()
    assert sum(len(view["features"]) for view in views) == 45
    assert {view["domain"] for view in views} == {
        "airports",
        "carriers",
        "planes",
        "routes",
        "weather",
    }


def test_every_view_has_an_owner_and_is_in_production(repository: dict[str, Any]) -> None:
    owned = {name: view["owner"] for name, view in repository["views"].items()}
    assert all(owned.values()), owned
    assert {view["state"] for view in repository["views"].values()} == {"production"}


def test_every_feature_has_a_description_and_a_unit(repository: dict[str, Any]) -> None:
    silent = [
        f"{name}:{feature}"
        for name, view in repository["views"].items()
        for feature, said in view["features"].items()
        if not (said["description"] and said["unit"])
    ]
    assert silent == []


def test_the_service_reads_numbers_by_four_keys_alone(repository: dict[str, Any]) -> None:
    views, refs = repository["views"], repository["services"][SERVICE]
    assert len(refs) == 42
    assert {key for view, _ in refs for key in views[view]["keys"]} == {
        "origin",
        "dest",
        "carrier",
        "tailnum",
    }
    assert all(_dtype(views[view]["features"][name]) != "string" for view, name in refs)


def test_the_columns_of_every_source_have_the_declared_types(
    repository: dict[str, Any], flights_root: Path
) -> None:
    settings = Settings(ROOT, None, {"warehouse": {"root": str(flights_root)}}, {})
    engine = open_engine(settings)
    for view in repository["views"].values():
        schema = engine.schema(_source(view["source"]))
        declared = {name: _dtype(said) for name, said in view["features"].items()}
        declared |= dict.fromkeys(view["keys"], "string")
        found = {name: schema.field(name).type for name in declared}
        assert found == {name: arrow_type(dtype) for name, dtype in declared.items()}
        assert schema.field(view["source"]["timestamp"]).type == arrow_type("timestamp")


def _dtype(said: dict[str, str]) -> str:
    return DTYPES[said["dtype"]]


def _source(said: dict[str, str | None]) -> Source:
    name, query = str(said["name"]), said["query"]
    return Source(
        name,
        "sql" if query else "table",
        table=None if query else name,
        query=query,
        timestamp_field=said["timestamp"],
        created_field=said["created"],
    )
