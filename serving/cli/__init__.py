"""The commands of the model room, one file for each part of a model's way."""

import click

from serving.cli.drift import drift
from serving.cli.gate import gate, list_models, report
from serving.cli.packaging import package, rebuild, restore
from serving.cli.release import approve, live, promote, reject, rollback
from serving.cli.retraining import allow_retraining, approve_retrained
from serving.cli.serve import serve_models
from serving.cli.waive import waive

__all__ = ["drift", "model", "serve_models"]


@click.group()
def model() -> None:
    """Package models, gate them, approve and release them, take them back."""


for command in (
    package,
    waive,
    rebuild,
    restore,
    gate,
    report,
    approve,
    reject,
    allow_retraining,
    approve_retrained,
    promote,
    rollback,
    live,
    list_models,
):
    model.add_command(command)
