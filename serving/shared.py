"""What the worker processes of one model server share: folders, and a place of its own for each."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shared:
    """`held_out` tells the workers which models are unloaded, `metrics` what each has counted.

    None means that there is one process. A worker that takes a dead one's place takes its `slot`.
    """

    held_out: Path | None = None
    metrics: Path | None = None
    slot: int = 0


ALONE = Shared()
