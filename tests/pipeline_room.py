"""A model room with a whole pipeline behind it: warehouse, training set, code, model file."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fieldhouse.demo import train
from registry.kernel.settings import Settings
from registry.ports import DatasetRecord, Principal
from registry.testing import NOON, InMemoryRegistry
from serving.bootstrap import Serving, open_serving
from serving.testing import FakeLookup
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    OPERATOR,
    OWNER,
    REFS,
    RELIABILITY,
    flights,
    settings_in,
    state,
)
from training.bootstrap import open_training
from training.splits import GroupSplit, Splits

COUNT = 600
PLANES = [f"p{i}" for i in range(COUNT)]
SPEC = """
name = "delay"
file = "model.ubj"
service = "flight_delay"
training_set = "planes"
code = ["train.py"]
lock = "lock.txt"
golden_rows = 5
[ranges.distance]
low = -9.0
"""
TOKENS = {one.subject.partition("@")[0]: one for one in (AUTHOR, OWNER, RELIABILITY, OPERATOR)}


def pipeline_room(folder: Path, tokens: dict[str, Principal] | None = None) -> Serving:
    """The room in `folder`, beside the files that `SPEC`, written to delay.toml, names.

    Its lookup gives what the warehouse has; its backup store is `copy`.
    """
    template, record = _template()
    shutil.copytree(template, folder, dirs_exist_ok=True)
    registry = InMemoryRegistry(state(), tokens)
    registry.datasets.add(record)
    known = {
        plane: {ref: float(value) for ref, value in zip(REFS, row, strict=True)}
        for plane, row in zip(PLANES, flights().rows[:COUNT], strict=True)
    }
    return open_serving(_settings(folder), registry, FakeLookup("plane", known))


def _settings(folder: Path) -> Settings:
    return settings_in(
        folder, FIELDHOUSE_CLOCK_INSTANT="2013-10-01T13:00:00Z", FIELDHOUSE_SERVING_BACKUP="copy"
    )


@cache
def _template() -> tuple[Path, DatasetRecord]:
    """What is costly to make, once for all tests of a process."""
    scratch = tempfile.TemporaryDirectory(prefix="pipeline-")
    atexit.register(scratch.cleanup)
    folder = Path(scratch.name)
    rows, labels = flights().rows[:COUNT], flights().labels[:COUNT]
    columns: dict[str, Any] = {
        name: pa.array(rows[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)
    }
    times = pa.array([NOON] * COUNT, pa.timestamp("us", tz="UTC"))
    (folder / "warehouse_data").mkdir()
    table = pa.table({"plane": PLANES, "event_timestamp": times, **columns})
    pq.write_table(table, folder / "warehouse_data/stats.parquet")
    registry = InMemoryRegistry(state())
    group = [f"g{i % 3}" for i in range(COUNT)]
    spine = pa.table({"plane": PLANES, "event_timestamp": times, "late": labels, "group": group})
    parted = Splits(by_group=GroupSplit(column="plane", parts=(("train", 0.7), ("test", 0.3))))
    built = open_training(_settings(folder), registry).build(
        "planes", spine, "flight_delay", label="late", splits=parted
    )
    shutil.copy(train.__file__, folder / "train.py")
    train.main(built.folder, folder / "model.ubj")
    (folder / "lock.txt").write_text("numpy==0.1 \\\n    --hash=sha256:x\nnowhere==1\n")
    (folder / "delay.toml").write_text(SPEC)
    return folder, registry.datasets.get("planes")
