"""Training sets for notebooks and scripts: two functions that find the project by themselves."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from registry.kernel.settings import read_settings
from training.bootstrap import open_training
from training.dataset import TrainingSet
from training.splits import Splits, split_by_group, split_by_time

__all__ = ["build_training_set", "load_training_set", "split_by_group", "split_by_time"]


def build_training_set(
    name: str,
    spine: Any,
    features: str | Sequence[str],
    label: str | None = None,
    time_column: str = "event_timestamp",
    *,
    splits: Splits | None = None,
    time_zone: str = "UTC",
    as_of: datetime | None = None,
    full_feature_names: bool = False,
    allow_deprecated: str | None = None,
) -> TrainingSet:
    """Build and keep a training set in the project around the working folder.

    See `training.build.Training.build` for arguments, and for what is raised.
    """
    return open_training(read_settings(Path.cwd())).build(
        name,
        spine,
        features,
        label,
        time_column,
        splits=splits,
        time_zone=time_zone,
        as_of=as_of,
        full_feature_names=full_feature_names,
        allow_deprecated=allow_deprecated,
    )


def load_training_set(name: str) -> TrainingSet:
    """The training set of that name in the project around the working folder.

    Raises `NotFound` with the nearest names, or `Corrupt`. Opens no registry.
    """
    from registry.settings import HOME
    from training.writer import DatasetFolder

    return DatasetFolder(read_settings(Path.cwd()).path(HOME) / "datasets").load(name)
