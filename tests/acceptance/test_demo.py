"""The demo as a newcomer meets it, on the flights of a few months so that it is over sooner."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pytest

from fieldhouse.demo import csv_files

AS_IT_STANDS = pcsv.ConvertOptions(
    null_values=["NA"],
    strings_can_be_null=True,
    timestamp_parsers=[],
    column_types={"time_hour": "string"},
)
ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the example and nothing else of ours."""
    shutil.copy(ROOT / "fieldhouse.toml", tmp_path)
    shutil.copytree(ROOT / "feature_repo", tmp_path / "feature_repo")
    return tmp_path


def autumn(folder: Path, *, later: int = 0) -> Path:
    """The example's CSV files with the flights of August to November alone.

    `later` minutes are added to each arrival delay.
    """
    folder.mkdir()
    for name, path in csv_files.find_files(None).items():
        if name != "flights":
            shutil.copy(path, folder)
            continue
        with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as opened:
            table = pcsv.read_csv(opened, convert_options=AS_IT_STANDS)
        table = table.filter(pc.is_in(table["month"], pa.array([8, 9, 10, 11])))
        shifted = pc.add(table["arr_delay"], later)
        place = table.schema.get_field_index("arr_delay")
        pcsv.write_csv(table.set_column(place, "arr_delay", shifted), folder / "flights.csv")
    return folder


def demo(checkout: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "fieldhouse", "demo", *options]
    env = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    return subprocess.Popen(
        command, cwd=checkout, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def played(checkout: Path, *options: str) -> dict[str, Any]:
    process = demo(checkout, "--json", *options)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def left_running(checkout: Path) -> list[str]:
    """Processes that still work in the checkout."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(checkout) in words or process.info["cwd"] == str(checkout):
            found.append(words)
    return found


def test_the_demo_goes_all_the_way_twice_and_follows_the_data(checkout: Path) -> None:
    first = played(checkout, "--source", str(autumn(checkout / "autumn")))
    assert first["refused"]["rule"] == "duplicate-definition"
    assert first["parity"]["compared"] > 10_000
    assert first["parity"]["differing"] == 0
    assert first["auc"]["boosted trees"] > first["auc"]["late rate of carrier"] > 0.5
    assert first["model"]["gate"] == "passed"
    assert left_running(checkout) == []

    second = played(checkout, "--source", str(autumn(checkout / "later", later=5)))
    assert second["auc"] != first["auc"]
    assert second["training_set"]["content_hash"] != first["training_set"]["content_hash"]


@pytest.mark.parametrize("moment", ["[3/8]", "[6/8]"])
def test_ctrl_c_leaves_nothing_running(checkout: Path, moment: str) -> None:
    process = demo(checkout, "--source", str(autumn(checkout / "autumn")))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(moment):
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert left_running(checkout) == []


def test_the_demo_does_not_empty_somebodys_own_registry(checkout: Path) -> None:
    (checkout / ".fieldhouse").mkdir()
    (checkout / ".fieldhouse" / "registry.db").write_bytes(b"mine")
    process = demo(checkout)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "did not make" in err
    assert (checkout / ".fieldhouse" / "registry.db").read_bytes() == b"mine"


def test_the_demo_outside_a_checkout_says_where_to_run_it(tmp_path: Path) -> None:
    process = demo(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "fieldhouse init" in err
