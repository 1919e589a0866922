"""Feast's own registry, written by us and read with Feast's own command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.adapters.feast_sync import sync_feast
from registry.adapters.feature_store import feature_store_yaml

FILES = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64
from fieldhouse import SqlSource, governed

carrier = Entity(name="carrier", join_keys=["code"], value_type=ValueType.STRING)
late = SqlSource(name="late", query="SELECT code, ts, delay FROM flights", timestamp_field="ts")
fleet = FileSource(name="fleet", path="fleet", timestamp_field="ts")
delays = FeatureView(
    name="delays", entities=[carrier], source=late, ttl=timedelta(hours=1),
    schema=[Field(name="delay", dtype=Float64)], tags=governed(owner="o@x"),
)
seats = FeatureView(
    name="seats", entities=[carrier], source=fleet, schema=[Field(name="seats", dtype=Float64)],
)
board = FeatureService(name="board", features=[delays, "hotels/stays:nights"])
abroad = FeatureService(name="abroad", features=["hotels/stays:nights"])
"""


def feast(folder: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("feast")
    made = subprocess.run(
        [program, "-c", str(folder), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    return made.stdout


@pytest.mark.slow
def test_feasts_command_sees_what_the_repository_defines(tmp_path: Path) -> None:
    folder, registry = tmp_path / "repo", tmp_path / "feast.db"
    folder.mkdir()
    (folder / "all.py").write_text(FILES)
    assert sync_feast(folder, registry, "demo").views == ("delays", "seats")
    (folder / "all.py").write_text(FILES.replace('"seats"', '"places"'))
    second = sync_feast(folder, registry, "demo")
    assert second.done, second.findings
    (tmp_path / "feature_store.yaml").write_text(feature_store_yaml("demo", registry))
    listing = feast(tmp_path, "feature-views", "list")
    assert "delays" in listing
    assert "places" in listing
    assert "seats" not in listing
    services = feast(tmp_path, "feature-services", "list")
    assert "board" in services
    assert "abroad" not in services


def test_a_repository_that_cannot_be_read_leaves_the_registry_alone(tmp_path: Path) -> None:
    folder, registry = tmp_path / "repo", tmp_path / "feast.db"
    folder.mkdir()
    (folder / "bad.py").write_text("raise ValueError('no')\n")
    result = sync_feast(folder, registry, "demo")
    assert not result.done
    assert [f.rule for f in result.findings] == ["definition-raises"]
    assert not registry.exists()


@pytest.mark.parametrize(
    ("registry", "path"),
    [("postgresql+psycopg://h/db", "postgresql+psycopg://h/db"), ("/x/f.db", "sqlite:////x/f.db")],
)
def test_the_yaml_is_what_feast_reads(registry: str, path: str) -> None:
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(feature_store_yaml("demo", registry, online_store={"type": "sqlite"}))
    assert read["registry"]["path"] == path
    assert read["registry"]["serve_features_while_materializing"] is True
    assert read["online_store"] == {"type": "sqlite"}
