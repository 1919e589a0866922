"""The example's training pipeline. It goes into the model's bundle as it stands.

`python train.py DATASET_FOLDER MODEL_FILE` trains on a training set's part "train", so that a
bundle can be rebuilt from its manifest alone. Reads Parquet, writes XGBoost's own format.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import xgboost as xgb
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 120
MAX_BIN = 128
PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 6,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
    "max_bin": MAX_BIN,
    "nthread": 1,
    "seed": 7,
}


def matrix(table: pa.Table, features: Sequence[str]) -> Floats:
    """Float64 [n, k] of the named columns, NaN where null."""
    columns = [table.column(name).cast(pa.float64()).to_numpy() for name in features]
    return np.column_stack(columns)


def labels(table: pa.Table, label: str) -> NDArray[np.float64]:
    """Float64 [n], 0 or 1."""
    values: NDArray[np.float64] = table.column(label).cast(pa.float64()).to_numpy()
    return values


def train(table: pa.Table, features: Sequence[str], label: str) -> xgb.Booster:
    """Boosted trees for the probability of the label."""
    data = xgb.QuantileDMatrix(matrix(table, features), labels(table, label), max_bin=MAX_BIN)
    return xgb.train(PARAMETERS, data, num_boost_round=ROUNDS)


def predict(model: xgb.Booster, rows: Floats) -> Floats:
    """Float64 [n]: the probability for each row of float64 [n, k]."""
    return np.asarray(model.inplace_predict(rows), dtype=np.float64)


def main(dataset: Path, file: Path) -> None:
    """Train again what the bundle holds, from the training set in a folder."""
    from training.dataset import load_folder

    part = load_folder(dataset).split("train")
    train(part.to_arrow(), part.feature_names, part.label or "").save_model(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
