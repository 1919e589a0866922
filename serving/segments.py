"""Segments: predictions and labels as Arrow tables and Parquet files that appear whole."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serving.logged import LogEntry
from serving.signature import Input, Signature

_INSTANT = pa.timestamp("us", tz="UTC")
LABELS = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("row", pa.int64()),
        ("label", pa.float64()),
        ("at", _INSTANT),
        ("received_at", _INSTANT),
        ("by", pa.string()),
    ]
)


def write_segment(folder: Path, table: pa.Table, at: datetime) -> Path:
    """Write a table as a new Parquet file named by `at`, which appears whole. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.parquet"
    draft = file.with_suffix(".draft")
    try:
        pq.write_table(table, draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file


def prediction_table(entries: Sequence[LogEntry]) -> pa.Table:
    """One row per predicted row. Keys, features, their event times and outputs carry a prefix
    each: `key:`, `feature:`, `time:`, `output:`. `sent` names the features that came along."""
    sizes = [len(entry.values) for entry in entries]

    def spread(values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
        repeated = [v for v, size in zip(values, sizes, strict=True) for _ in range(size)]
        return pa.array(repeated, kind)

    columns = {
        "prediction_id": spread([entry.prediction_id for entry in entries], pa.string()),
        "row": pa.array([row for size in sizes for row in range(size)], pa.int64()),
        "at": spread([entry.at for entry in entries], _INSTANT),
        "version": spread([entry.version for entry in entries], pa.string()),
        "seconds": spread([entry.seconds for entry in entries], pa.float64()),
        "oldest_age_seconds": spread([e.oldest_age_seconds for e in entries], pa.float64()),
        "missing": spread([entry.missing for entry in entries], pa.int64()),
        "stale": spread([entry.stale for entry in entries], pa.int64()),
        "sent": spread([sorted(entry.sent) for entry in entries], pa.list_(pa.string())),
    }
    signature = entries[0].signature
    columns.update(_key_columns(signature, entries))
    columns.update(_feature_columns(signature, entries))
    columns.update(_time_columns(signature, entries))
    columns.update(_output_columns(signature, entries))
    return pa.table(columns)


def label_table(columns: Mapping[str, list[Any]]) -> pa.Table:
    """Labels as `serving.labels` gives them, a row each."""
    return pa.table(dict(columns), LABELS)


def column_names(tensor: Input) -> list[str]:
    """The names of an input's columns: its own, or one a place when it is wide."""
    if tensor.width == 1:
        return [tensor.name]
    return [f"{tensor.name}[{place}]" for place in range(tensor.width)]


def _key_columns(signature: Signature, entries: Sequence[LogEntry]) -> dict[str, pa.Array]:
    columns = {}
    for tensor in signature.keys:
        values: list[Any] = []
        for entry in entries:
            given = None if tensor.sensitive else entry.keys.get(tensor.name)
            values += [None] * len(entry.values) if given is None else given
        columns[f"key:{tensor.name}"] = pa.array(values, pa.string() if tensor.sensitive else None)
    return columns


def _feature_columns(signature: Signature, entries: Sequence[LogEntry]) -> dict[str, pa.Array]:
    """One column a feature, null where the value is missing or the feature is sensitive."""
    table = np.concatenate([entry.values for entry in entries])
    columns: dict[str, pa.Array] = {}
    for tensor in signature.columns:
        for name in column_names(tensor):
            values = table[:, len(columns)]
            hidden = np.ones(len(values), bool) if tensor.sensitive else np.isnan(values)
            columns[f"feature:{name}"] = pa.array(values, pa.float64(), mask=hidden)
    return columns


def _time_columns(signature: Signature, entries: Sequence[LogEntry]) -> dict[str, pa.Array]:
    """When each looked-up value was true, null where it was sent or not found."""
    looked_up = [tensor for tensor in signature.columns if tensor.ref is not None]
    columns = {}
    for place, tensor in enumerate(looked_up):
        micros: list[int] = []
        for entry in entries:
            known = place < len(entry.events) and tensor.name not in entry.sent
            micros += entry.events[place] if known else [0] * len(entry.values)
        values = np.array(micros, np.int64)
        instants = pa.array(values, pa.int64(), mask=values == 0).cast(_INSTANT)
        columns[f"time:{tensor.name}"] = instants
    return columns


def _output_columns(signature: Signature, entries: Sequence[LogEntry]) -> dict[str, pa.Array]:
    return {
        f"output:{output.name}": pa.array(
            np.concatenate([entry.outputs[output.name] for entry in entries]).tolist()
        )
        for output in signature.outputs
    }
