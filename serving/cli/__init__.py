"""The commands of the model room, one file for each part of a model's way."""

import click

from serving.cli.making import gate, list_models, package
from serving.cli.release import approve, promote, reject, rollback
from serving.cli.serve import serve_models

__all__ = ["model", "serve_models"]


@click.group()
def model() -> None:
    """Package models, gate them, approve and release them, take them back."""


for command in (package, gate, approve, reject, promote, rollback, list_models):
    model.add_command(command)
