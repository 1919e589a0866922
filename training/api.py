"""Training sets for notebooks and scripts: two functions that find the project by themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from registry.kernel.settings import read_settings
from training.bootstrap import open_training
from training.dataset import TrainingSet
from training.request import Options
from training.served import AsServed
from training.splits import split_by_group, split_by_time

__all__ = [
    "AsServed",
    "build_training_set",
    "load_training_set",
    "split_by_group",
    "split_by_time",
]


def build_training_set(
    name: str,
    spine: Any,
    features: str | Sequence[str],
    label: str | None = None,
    time_column: str = "event_timestamp",
    **options: Unpack[Options],
) -> TrainingSet:
    """Build and keep a training set in the project around the working folder.

    See `training.build.Training.build` for arguments and for what is raised, and
    `training.request.Options` for the options.
    """
    return open_training(read_settings(Path.cwd())).build(
        name,
        spine,
        features,
        label,
        time_column,
        **options,
    )


def load_training_set(name: str) -> TrainingSet:
    """The training set of that name in the project around the working folder.

    Raises `NotFound` with the nearest names, or `Corrupt`. Opens no registry.
    """
    from registry.settings import HOME
    from training.writer import DatasetFolder

    return DatasetFolder(read_settings(Path.cwd()).path(HOME) / "datasets").load(name)
