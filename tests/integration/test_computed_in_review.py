"""An on-demand feature whose code changes, compared by the jobs of the script on real git: inputs
are read where the registry is, code runs where no secret is, and the comment shows both."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.testing import NOON
from tests.forge import review
from tests.git_forge import COMMAND, SCRIPT, SETTINGS, Forge, open_forge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VIEWS = """\
from datetime import timedelta
from feast import Entity, FeatureView, Field, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from fieldhouse import SqlSource, governed

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING,
                 description="an airline")
delays = FeatureView(
    name="delays", description="how late", entities=[carrier], ttl=timedelta(days=9),
    source=SqlSource(name="delays_of", timestamp_field="known_at",
                     query="SELECT carrier, known_at, delay FROM flights"),
    tags=governed(owner="olga", state="production", unit="minute"),
    schema=[Field(name="delay", dtype=Float64, description="delay of arrivals")],
)


@on_demand_feature_view(
    sources=[delays], mode="python",
    schema=[Field(name="hours", dtype=Float64, description="delay in hours",
                  tags=governed(unit="hour"VERSION))],
    tags=governed(owner="olga", state="production"),
)
def in_hours(inputs):
    BODY
"""
DIVIDE = "return {'hours': [delay / 60 for delay in inputs['delay']]}"
CAPPED = "return {'hours': [min(delay / 60, 1.0) for delay in inputs['delay']]}"
TELL = "raise ValueError(str(inputs['__class__']))"


def files(body: str, version: str = "") -> dict[str, str]:
    text = VIEWS.replace("BODY", body).replace("VERSION", version)
    return {"feature_repo/air/delays.py": text}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A forge whose registry has the feature, and a warehouse beside its base checkout."""
    with open_forge(tmp_path_factory.mktemp("forge")) as made:
        with (made.folder / "base" / "fieldhouse.toml").open("a") as file:
            file.write('[clock]\ninstant = "2013-10-01T12:00:00Z"\n')
        at = pa.array([NOON] * 3, pa.timestamp("us", tz="UTC"))
        late = pa.table({"carrier": ["UA", "AA", "DL"], "known_at": at, "delay": [30.0, 90.0, 6.0]})
        (made.folder / "base" / "warehouse_data").mkdir()
        pq.write_table(late, made.folder / "base" / "warehouse_data" / "flights.parquet")
        head = made.commit("ada", files(DIVIDE), branch="first")
        file = made.read("ada", head)
        assert made.review(file, head, 7, review("grace-h", head)) == "success", made.comment
        assert made.apply(file).returncode == 0
        yield made


def compared(forge: Forge, branch: str, body: str, folder: Path) -> str:
    """The comment on a branch, after all jobs."""
    head = forge.commit("ada", files(body, ", version=2"), branch=branch)
    read, sample, values = forge.read("ada", head), folder / "sample.json", folder / "values.json"
    done = forge.run("base", "recorder", "sample", str(read), str(sample))
    assert done.returncode == 0, done.stderr
    ran = subprocess.run(
        ["sh", str(SCRIPT), "compute", str(sample), str(values)], cwd=folder, check=False,
        env={"PATH": os.environ["PATH"], "FIELDHOUSE": str(COMMAND), "SECRET": "hush"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "hush" not in values.read_text()
    forge.extra = {"SAMPLE": str(sample), "VALUES": str(values)}
    forge.review(read, head, 8 + len(branch))
    return forge.comment


def test_the_comment_shows_what_the_code_makes_of_values(forge: Forge, tmp_path: Path) -> None:
    said = compared(forge, "capped", CAPPED, tmp_path)
    assert "`in_hours:hours`: 1 of 9 values change (11%)" in said
    assert "| AA | 2013-10-01T12:00:00Z | 1.5 | 1 |" in said


def test_code_that_fails_is_told_of_in_a_note(forge: Forge, tmp_path: Path) -> None:
    said = compared(forge, "telling", TELL, tmp_path)
    assert "values of in\\_hours are not compared: new code" in said
    assert SETTINGS not in said
