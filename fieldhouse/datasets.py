"""Building and loading training sets in the project of the working folder. Decides nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldhouse.rooms import load
from registry.kernel.settings import read_settings


def build_training_set(
    name: str,
    spine: Any,
    features: str | Sequence[str],
    *,
    label: str | None = None,
    time_column: str = "event_timestamp",
    **options: Any,
) -> Any:
    """Join features to each row of `spine` as of that row's time, and keep the set under `name`.

    `spine` is an Arrow table or a data frame with the join keys, `time_column` (instants, UTC) and
    perhaps the label; `features` a feature service's name or a list of references. Rows are never
    dropped, doubled or reordered. Further options are those of `training.bootstrap.Training.build`.
    Raises `FieldhouseError` in one of its kinds.
    """
    training = load("training.bootstrap").open_training(read_settings(Path.cwd()))
    return training.build(name, spine, features, label=label, time_column=time_column, **options)


def load_training_set(name: str) -> Any:
    """The training set of that name, checked against its manifest. Raises `NotFound`, `Corrupt`."""
    return load("training.bootstrap").open_training(read_settings(Path.cwd())).load(name)
