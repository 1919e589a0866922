"""`fieldhouse dataset …`: the commands of training sets. They read options and print."""

from training.cli.group import dataset
from training.cli.looking import diff, explain, list_sets, quality, show, verify
from training.cli.making import build, export, gc, join, remove

__all__ = ["dataset"]

for _command in (build, join, list_sets, show, quality, verify, explain, diff, export, remove, gc):
    dataset.add_command(_command)
