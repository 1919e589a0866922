"""What the demo leaves behind, seen by hand: the model's reference, and drift on the flights."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from bench import drift_flights
from fieldhouse.demo import csv_files
from registry.kernel.settings import read_settings
from serving.bootstrap import open_serving
from serving.drift.page import render_page
from serving.profile import decode_profile
from training.bootstrap import open_training

ROOT = Path(__file__).parents[2]
OCTOBER = datetime(2013, 10, 1, tzinfo=UTC)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A checkout in which the demo was played on the flights of August to November."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(ROOT / "fieldhouse.toml", folder)
    shutil.copytree(ROOT / "feature_repo", folder / "feature_repo")
    command = [sys.executable, "-m", "fieldhouse", "demo", "--json", "--source"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    ran = subprocess.run(
        [*command, str(autumn(folder / "autumn"))],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stderr
    return folder, json.loads(ran.stdout)


def autumn(folder):
    """The example's CSV files, with the flights of four months."""
    folder.mkdir()
    options = pcsv.ConvertOptions(
        null_values=["NA"],
        strings_can_be_null=True,
        timestamp_parsers=[],
        column_types={"time_hour": "string"},
    )
    for name, path in csv_files.find_files(None).items():
        if name != "flights":
            shutil.copy(path, folder)
            continue
        with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as opened:
            table = pcsv.read_csv(opened, convert_options=options)
        chosen = table.filter(pc.is_in(table["month"], pa.array([8, 9, 10, 11])))
        pcsv.write_csv(chosen, folder / "flights.csv")
    return folder


def test_the_reference_keys_are_those_of_the_rows_that_the_reference_was_made_of(played):
    folder, told = played
    settings = read_settings(folder, {})
    bundle = open_serving(settings).bundle(told["model"]["name"], told["model"]["version"])
    profile = decode_profile(bundle.files["profile.json"])
    rows = open_training(settings).load("flight_delay").split("test").to_arrow()
    assert {column.rows for column in profile.columns} == {rows.num_rows}
    assert {key.name for key in profile.keys} == {t.name for t in bundle.manifest.signature.keys}
    for key in profile.keys:
        values = [value for value in rows.column(key.name).to_pylist() if value is not None]
        counted, kept = Counter(map(str, values)), dict(zip(key.levels, key.counts, strict=True))
        assert (key.rows, key.missing) == (rows.num_rows, rows.num_rows - len(values))
        assert kept == {level: counted[level] for level in key.levels}
        assert sum(kept.values()) + key.others == len(values)


def auc_by_hand(scores, truth):
    """How often a late flight scores above one that was not, ties for a half: pair by pair."""
    late, other = scores[truth == 1], scores[truth == 0]
    above = (late[:, None] > other[None, :]).mean()
    return above + 0.5 * (late[:, None] == other[None, :]).mean()


def test_the_drift_page_of_the_flights_tells_the_auc_that_log_and_labels_give(
    played, tmp_path, monkeypatch
):
    monkeypatch.chdir(played[0])
    monkeypatch.setattr(drift_flights, "SPLIT", OCTOBER)
    monkeypatch.setattr(drift_flights, "SERVED", 3000)
    report = drift_flights.play(tmp_path)
    logged = pa.concat_tables(
        pq.read_table(file) for file in (tmp_path / ".fieldhouse/predictions").rglob("*.parquet")
    ).to_pydict()
    told = pa.concat_tables(
        pq.read_table(file) for file in (tmp_path / ".fieldhouse/labels").rglob("*.parquet")
    ).to_pydict()
    truth = dict(zip(told["prediction_id"], told["label"], strict=True))
    scored = dict(zip(logged["prediction_id"], logged["output:probability"], strict=True))
    assert len(scored) == report.rows == 3000 and len(truth) == report.labelled > 1500
    known = sorted(truth)
    by_hand = auc_by_hand(np.array([scored[n] for n in known]), np.array([truth[n] for n in known]))
    assert report.performance.value == pytest.approx(by_hand, abs=1e-9)
    assert f"auc {by_hand:.4f} ±" in render_page(report)
    assert report.drifted  # autumn is not summer
