"""The group of dataset commands, and the room that they open."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.build import Training


@click.group()
def dataset() -> None:
    """Build training sets, list them, verify, compare and export them.

    \b
    Example:
      fieldhouse dataset build --name delays --spine flights.parquet --service flight_delay
    """


def training_here() -> "Training":
    """Training in the project around the working folder."""
    from registry.kernel.settings import read_settings
    from training.bootstrap import open_training

    return open_training(read_settings(Path.cwd()))
