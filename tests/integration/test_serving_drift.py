"""Drift from end to end: predictions logged, labels come later, the report says what moved."""

import json
from dataclasses import replace

import numpy as np
import pytest

from registry.kernel.errors import NotFound, Refused
from registry.testing import NOON
from serving.drift.find import find_drift
from serving.drift.page import render_page
from serving.labels import Label, LabelBook
from serving.signature import Signature
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    OPERATOR,
    flights,
    looked_up_parts,
    open_room,
    parts,
    xgboost_model,
)  # fmt: skip


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path)


def packaged(room, tmp_path, **changes):
    keys = {"plane": [f"p{i % 40}" for i in range(600)]}
    made = looked_up_parts(tmp_path, room)
    made = replace(made, reference=flights().rows, reference_keys=keys, **changes)
    return room.package(made, actor=AUTHOR.subject)


def serve(room, record, rows, planes):
    predictor = room.predictor([(record.name, record.version)])
    for i, row in enumerate(rows):
        columns = {name: [value] for name, value in zip(COLUMNS, row.tolist(), strict=True)}
        predictor.predict("delay", {"plane": [planes[i]], **columns}, prediction_id=f"id{i}")
    predictor.close()


def planes(count, prefix="p"):
    return [f"{prefix}{i % 40}" for i in range(count)]


def test_predictions_like_the_training_rows_show_no_drift(room, tmp_path):
    record = packaged(room, tmp_path)
    serve(room, record, flights(400, seed=8).rows, planes(400))
    report = find_drift(room, "delay", record.version)
    assert report.drifted == [] and report.rows == 400 and report.performance is None
    assert {c.name for c in report.columns} == {*COLUMNS, "probability", "plane"}


def test_a_shift_gaps_and_new_keys_are_each_named(room, tmp_path):
    record = packaged(room, tmp_path)
    rows = flights(400, seed=8).rows.copy()
    rows[:, 0] += 1.0
    rows[:200, 3] = np.nan
    serve(room, record, rows, planes(400, "new"))
    report = find_drift(room, "delay", record.version)
    why = {c.name: c.reasons for c in report.columns if c.verdict == "drifted"}
    assert set(why) == {"distance", "load", "plane"}
    assert why["distance"][0].startswith("PSI")
    assert any("missing" in reason for reason in why["load"])
    assert any("100.0% of values never seen" in reason for reason in why["plane"])


def test_a_feature_that_is_gone_altogether_drifted_and_a_masked_one_is_not_judged(room, tmp_path):
    made = looked_up_parts(tmp_path, room)
    inputs = tuple(
        replace(t, sensitive=t.name in ("delay", "plane")) for t in made.signature.inputs
    )
    record = packaged(room, tmp_path, signature=Signature(inputs, made.signature.outputs))
    rows = flights(300, seed=8).rows.copy()
    rows[:, 2] = np.nan
    serve(room, record, rows, planes(300))
    report = find_drift(room, "delay", record.version)
    assert "wind" in report.drifted
    assert not {"delay", "plane"} & {column.name for column in report.columns}


def test_labels_that_arrive_later_give_the_live_metric(room, tmp_path):
    record = packaged(room, tmp_path)
    data = flights(500, seed=8)
    serve(room, record, data.rows, planes(500))
    book = LabelBook(room.settings.root / ".fieldhouse/labels", lambda: NOON)
    wrong = [Label(f"id{i}", 1) for i in range(300)]
    right = [Label(f"id{i}", int(label)) for i, label in enumerate(data.labels[:300])]
    book.add("delay", wrong, OPERATOR.subject)
    later = LabelBook(book.folder, lambda: NOON.replace(hour=13))
    later.add("delay", [*right, Label("of nobody", 1)], OPERATOR.subject)
    report = find_drift(room, "delay", record.version)
    assert report.labelled == 300 and report.performance.rows == 300
    assert 0.7 < report.performance.value < 1.0 and report.performance.metric == "auc"


def test_the_page_and_the_report_say_the_same(room, tmp_path):
    record = packaged(room, tmp_path)
    rows = flights(400, seed=8).rows + 2.0
    serve(room, record, rows, planes(400))
    report = find_drift(room, "delay", record.version)
    page = render_page(report)
    drifted = [column.name for column in report.columns if column.verdict == "drifted"]
    assert all(f'aria-label="{name}"' in page for name in drifted) and len(drifted) == 5
    assert "<svg" in page and all(name in page for name in COLUMNS) and "http" not in page


def test_what_was_never_logged_or_has_no_profile_is_said(room, tmp_path):
    record = packaged(room, tmp_path)
    with pytest.raises(NotFound, match="logged prediction"):
        find_drift(room, "delay", record.version)
    bare = room.package(
        parts(tmp_path, xgboost_model(), name="bare", reference=None), actor=AUTHOR.subject
    )
    with pytest.raises(Refused, match="no reference profile"):
        find_drift(room, "bare", bare.version)


def test_the_log_keeps_when_each_looked_up_value_was_true(room, tmp_path):
    import pyarrow.parquet as pq

    record = packaged(room, tmp_path)
    predictor = room.predictor([(record.name, record.version)])
    predictor.predict("delay", {"plane": ["p1", "x"], "wind": [1.0, 1.0]})
    predictor.close()
    (file,) = (tmp_path / ".fieldhouse/predictions/delay" / record.version).glob("*.parquet")
    first, second = pq.read_table(file).to_pylist()
    assert first["time:delay"].isoformat() == "2013-10-01T11:59:00+00:00"
    assert second["time:delay"] is None and first["time:wind"] is None
    assert first["sent"] == ["wind"] and json.dumps(first["feature:wind"]) == "1.0"
