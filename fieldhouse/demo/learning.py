"""Steps 3 and 4: a training set from the warehouse, and a model that learns from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from fieldhouse.demo.spine import LABEL, SERVICE, TIME_COLUMN, spine_query
from fieldhouse.demo.stage import Stage
from fieldhouse.demo.train import labels, matrix, predict, train
from registry.bootstrap import SqlRegistry
from registry.kernel.clock import format_instant
from serving.gate.delong import auc
from training.bootstrap import open_training
from training.dataset import TrainingSet
from training.splits import split_by_time
from warehouse.engines.port import Engine

NAME = "flight_delay"
TEST_FROM = datetime(2013, 10, 1, tzinfo=UTC)
BASELINE = "late_rate_30d"
BASELINE_VIEW = "carrier_performance"
BASE, RATE, TREES = "base rate alone", "late rate of carrier", "boosted trees"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """The model, and the held-out rows that it was tested on.

    `rows` float64 [n, k] in the order of `features`; `labels`, `baseline` float64 [n].
    """

    model: xgb.Booster
    file: Path
    features: tuple[str, ...]
    rows: Floats
    labels: Floats
    baseline: Floats
    scores: Floats
    training: TrainingSet


def build(stage: Stage, registry: SqlRegistry, engine: Engine) -> TrainingSet:
    """Every flight whose outcome is known at the demo's instant, with what was known of it two
    hours before departure."""
    now = registry.clock()
    training = open_training(stage.settings, registry, engine)
    made = training.build(
        NAME,
        spine_query(known_by=now),
        SERVICE,
        label=LABEL,
        time_column=TIME_COLUMN,
        splits=split_by_time({"train": TEST_FROM, "test": None}),
    )
    manifest = made.manifest
    stage.tell(
        {
            "name": made.name,
            "manifest": made.digest,
            "content": manifest.content_hash,
            "rows": f"{made.rows:,}",
            "features": f"{len(made.feature_names)} of service {SERVICE}, pinned by version",
            "snapshots": f"{len(manifest.snapshots)}, each named by its content",
            "parts": f"train before {format_instant(TEST_FROM)}, test from then on",
            "as of": format_instant(now),
        }
    )
    for finding in manifest.findings[:3]:
        stage.say(f"      {finding.severity} [{finding.rule}] {finding.subject}: {finding.message}")
    stage.facts["training_set"] = {
        "name": made.name,
        "manifest": made.digest,
        "content_hash": manifest.content_hash,
        "rows": made.rows,
    }
    return made


def learn(stage: Stage, made: TrainingSet) -> Learned:
    """Train on the first months, test on the last ones, beside two baselines."""
    features = tuple(made.feature_names)
    first, last = made.split("train").to_arrow(), made.split("test").to_arrow()
    model = train(first, features, LABEL)
    file = stage.home / "flight_delay.ubj"
    model.save_model(file)
    rows, truth = matrix(last, features), labels(last, LABEL)
    baseline = np.nan_to_num(last.column(_baseline(features)).to_numpy(), nan=float(truth.mean()))
    scores = predict(model, rows)
    aucs = {
        BASE: auc(truth > 0, np.full(len(truth), labels(first, LABEL).mean())),
        RATE: auc(truth > 0, baseline),
        TREES: auc(truth > 0, scores),
    }
    stage.say(
        f"      trained on {first.num_rows:,} flights, tested on {last.num_rows:,} later ones"
    )
    stage.say(f"      {'':<20}  AUC on the later flights")
    for name, value in aucs.items():
        stage.say(f"      {name:<20}  {value:.4f}")
    stage.facts["auc"] = {name: round(value, 4) for name, value in aucs.items()}
    return Learned(model, file, features, rows, truth, baseline, scores, made)


def _baseline(features: tuple[str, ...]) -> str:
    """The carrier's late rate has its view before its name where a route's has the same name."""
    full = f"{BASELINE_VIEW}__{BASELINE}"
    return full if full in features else BASELINE
