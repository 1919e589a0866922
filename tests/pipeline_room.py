"""A model room with a whole pipeline behind it: warehouse, training set, code, model file."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fieldhouse.demo import train
from registry.ports import Principal
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
    rows, labels = flights().rows[:COUNT], flights().labels[:COUNT]
    columns: dict[str, Any] = {
        name: pa.array(rows[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)
    }
    times = pa.array([NOON] * COUNT, pa.timestamp("us", tz="UTC"))
    warehouse = folder / "warehouse_data"
    warehouse.mkdir()
    table = pa.table({"plane": PLANES, "event_timestamp": times, **columns})
    pq.write_table(table, warehouse / "stats.parquet")
    settings = settings_in(
        folder, FIELDHOUSE_CLOCK_INSTANT="2013-10-01T13:00:00Z", FIELDHOUSE_SERVING_BACKUP="copy"
    )
    known = {
        plane: {ref: float(value) for ref, value in zip(REFS, row, strict=True)}
        for plane, row in zip(PLANES, rows, strict=True)
    }
    registry = InMemoryRegistry(state(), tokens)
    room = open_serving(settings, registry, FakeLookup("plane", known))
    group = [f"g{i % 3}" for i in range(COUNT)]
    spine = pa.table({"plane": PLANES, "event_timestamp": times, "late": labels, "group": group})
    parted = Splits(by_group=GroupSplit(column="plane", parts=(("train", 0.7), ("test", 0.3))))
    built = open_training(settings, room.registry).build(
        "planes", spine, "flight_delay", label="late", splits=parted
    )
    shutil.copy(train.__file__, folder / "train.py")
    train.main(built.folder, folder / "model.ubj")
    (folder / "lock.txt").write_text("numpy==0.1 \\\n    --hash=sha256:x\nnowhere==1\n")
    (folder / "delay.toml").write_text(SPEC)
    return room
