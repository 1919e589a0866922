"""Small real models and an open model room for the tests of serving."""

import json
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from registry.kernel.settings import Settings, read_settings
from registry.kernel.signing import ensure_key
from registry.ports import DatasetRecord, ModelRecord, Principal
from registry.testing import NOON, InMemoryRegistry, feature, published, view
from serving.bootstrap import Serving, open_serving
from serving.gate.evidence import Evidence, Heldout, OfflineSample
from serving.gate.policy import GatePolicy
from serving.package import Parts
from serving.signature import Input, Output, Signature
from serving.testing import FakeLookup
from serving.waiver import sign_waiver

COLUMNS = ("distance", "delay", "wind", "load")
REFS = tuple(f"stats:{name}@1" for name in COLUMNS)
SCORE = Output("probability", "FP32", (-1,), 0.0, 1.0)
PLAIN = Signature(tuple(Input(name) for name in COLUMNS), (SCORE,))
QUICK = GatePolicy(
    margin=0.05,
    minimum_positives=50,
    minimum_negatives=50,
    rate_per_second=100,
    seconds=0.5,
    p50_ms=200,
    p99_ms=2000,
    slower_slack_ms=500,
    growth_requests=600,
    idle_seconds=0.02,
    first_ms=2000,
)
AUTHOR = Principal("author@example.com", frozenset({"author"}))
OWNER = Principal("owner@example.com", frozenset({"owner"}))
RELIABILITY = Principal("sre@example.com", frozenset({"reliability"}))
OPERATOR = Principal("operator@example.com", frozenset({"operator"}))


@dataclass(frozen=True)
class Data:
    """Rows float64 [n, 4] and labels [n], with some values missing."""

    rows: Any
    labels: Any


@cache
def flights(count: int = 600, seed: int = 3) -> Data:
    chooser = np.random.default_rng(seed)
    rows = chooser.normal(size=(count, len(COLUMNS)))
    risk = 1 / (1 + np.exp(-(1.5 * rows[:, 1] + rows[:, 2])))
    labels = (chooser.random(count) < risk).astype(int)
    rows[chooser.random(rows.shape) < 0.05] = np.nan
    return Data(rows, labels)


@dataclass(frozen=True)
class Trained:
    """A saved model: its file's name and bytes, and the framework's own answers."""

    file: str
    data: bytes
    expected: Any
    signature: Signature = PLAIN
    options: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)


@cache
def xgboost_model(rounds: int = 8, seed: int = 0) -> Trained:
    import xgboost

    data = flights()
    matrix = xgboost.DMatrix(data.rows, data.labels)
    parameters = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed}
    booster = xgboost.train(parameters, matrix, rounds)
    return Trained("model.ubj", bytes(booster.save_raw("ubj")), booster.predict(matrix))


@cache
def lightgbm_model() -> Trained:
    import lightgbm

    data = flights()
    parameters = {"objective": "binary", "num_threads": 1, "verbose": -1, "seed": 0}
    booster = lightgbm.train(parameters, lightgbm.Dataset(data.rows, data.labels), 8)
    return Trained("model.lgb.txt", booster.model_to_string().encode(), booster.predict(data.rows))


def _linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.nan_to_num(flights().rows), flights().labels)


def magnitude(rows: Any) -> Any:
    """A function of ours inside a scikit-learn pipeline, which skops does not trust by itself."""
    return np.abs(rows)


@cache
def skops_model() -> Trained:
    from skops.io import dumps

    model = _linear()
    expected = model.predict_proba(np.nan_to_num(flights().rows))[:, 1]
    return Trained("model.skops", dumps(model), expected)


@cache
def onnx_model() -> Trained:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    model = _linear()
    graph = convert_sklearn(
        model,
        initial_types=[("rows", FloatTensorType([None, len(COLUMNS)]))],
        options={"zipmap": False},
    )
    expected = model.predict_proba(np.nan_to_num(flights().rows))
    output = Output("probabilities", "FP32", (-1, 2), 0.0, 1.0)
    signature = Signature(PLAIN.inputs, (output,))
    return Trained("model.onnx", graph.SerializeToString(), expected, signature)


CALLABLE = """
import json, os
import numpy as np

def load(folder):
    return json.load(open(os.path.join(folder, "weights.json")))

def predict(model, rows):
    print("nothing that a model prints reaches the protocol")
    return {
        "probability": 1 / (
            1 + np.exp(
                -(
                    np.nan_to_num(rows) @ np.array(model["weights"], dtype=float)
                    + float(model["bias"])
                )
            )
        ),
    }
"""


@cache
def python_model() -> Trained:
    model = _linear()
    weights = {"weights": model.coef_[0].tolist(), "bias": float(model.intercept_[0])}
    expected = model.predict_proba(np.nan_to_num(flights().rows))[:, 1]
    assets = {"weights.json": json.dumps(weights).encode()}
    return Trained("delay.model.py", CALLABLE.encode(), expected, assets=assets)


@cache
def pickle_model() -> Trained:
    model = _linear()
    data = pickle.dumps(model)
    key = ensure_key(Path(tempfile.mkdtemp()) / "key")
    waiver = sign_waiver(data, OWNER, "no native format yet", key, NOON)
    expected = model.predict_proba(np.nan_to_num(flights().rows))[:, 1]
    options = {"signed_by": key.public}
    return Trained("model.pkl", data, expected, options=options, assets={"waiver.json": waiver})


def settings_in(folder: Path, **environ: str) -> Settings:
    return read_settings(folder, environ)


def state() -> Any:
    """A published state with one view of four features and the service over it."""
    features = [feature(name) for name in COLUMNS]
    services = {"flight_delay": [f"stats:{name}" for name in COLUMNS]}
    return published(view("stats", features, {"plane": "string"}), services=services)


def lookup_table() -> dict[str, dict[str, float]]:
    """Planes p0 … p49; p0 knows nothing of its wind."""
    rows = flights().rows[:50]
    table = {
        f"p{i}": {ref: float(value) for ref, value in zip(REFS, row, strict=True)}
        for i, row in enumerate(rows)
    }
    del table["p0"][REFS[2]]
    return table


def open_room(folder: Path, **environ: str) -> Serving:
    """The model room over an in-memory registry, with a fake lookup and a training set."""
    registry = InMemoryRegistry(state())
    registry.datasets.add(
        DatasetRecord("flights", "sha256:set", NOON, "author@example.com", 600, REFS, "here")
    )
    settings = settings_in(folder, **environ)
    return open_serving(settings, registry, FakeLookup("plane", lookup_table()), registry.clock)


def parts(folder: Path, trained: Trained, name: str = "delay", **changes: Any) -> Parts:
    """What `trained` is packaged from; its file is written into `folder`."""
    file = folder / trained.file
    file.write_bytes(trained.data)
    for asset, data in trained.assets.items():
        (folder / asset).write_bytes(data)
    made: dict[str, Any] = {
        "name": name,
        "model_file": file,
        "signature": trained.signature,
        "golden_rows": np.nan_to_num(flights().rows[:8]),
        "reference": flights().rows,
        "options": trained.options,
        "assets": [folder / asset for asset in trained.assets],
    }
    return Parts(**{**made, **changes})


def looked_up_parts(folder: Path, room: Serving, trained: Trained | None = None) -> Parts:
    """The xgboost model over the feature service, with the training set named."""
    return parts(
        folder,
        trained or xgboost_model(),
        signature=room.signature("flight_delay", [SCORE]),
        service="flight_delay",
        trained_on=room.trained_on("flights"),
    )


def evidence() -> Evidence:
    """Held-out rows with a weak baseline, and an offline sample that the lookup agrees with."""
    data, table = flights(800, seed=11), lookup_table()
    baseline = np.nan_to_num(data.rows[:, 2])
    keys = [f"p{i}" for i in range(10)]
    values = np.array([[table[key].get(ref, np.nan) for ref in REFS] for key in keys])
    heldout = Heldout(data.rows, data.labels, baseline, "drawn with seed 11")
    return Evidence(heldout, OfflineSample({"plane": keys}, values))


def released(room: Serving, made: Parts) -> ModelRecord:
    """Package, pass the gate without running it, approve, promote."""
    record = room.package(made, actor=AUTHOR.subject)
    room.keep_report(record, passing_report(record), AUTHOR.subject)
    approved(room, record)
    return room.promote(record.name, record.version, OPERATOR)


def approved(room: Serving, record: ModelRecord) -> ModelRecord:
    """Both roles' words."""
    room.approve(record.name, record.version, OWNER, "looks right")
    return room.approve(record.name, record.version, RELIABILITY, "fits")


def profile(**changes: Any) -> Any:
    """A resource profile of a small server."""
    from serving.gate.resources import Measured, recommend

    measured = Measured(
        100 << 20, 120 << 20, 110 << 20, 120 << 20, 140 << 20, 0.5, 0, 0.0005, 200.0
    )
    return replace(recommend(measured), **changes)


def passing_report(record: ModelRecord, **changes: Any) -> Any:
    from serving.gate.report import Check, GateReport

    report = GateReport(
        layout=1,
        model=record.name,
        version=record.version,
        bundle_digest=record.bundle_digest,
        passed=True,
        requested_by="ci@example.com",
        started_at="2013-10-01T12:00:00Z",
        seconds=1.0,
        policy=GatePolicy(),
        checks=(Check("better.auc", "better?", True, "better"),),
        resources=profile(),
    )
    return replace(report, **changes)
