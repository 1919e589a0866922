"""Builders that tests of several rooms share; those of registry values are in registry.testing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

ORDERS_CSV = """\
customer_id,ordered_at,amount,items,country
c1,2024-03-01T10:00:00Z,20.5,2,DE
c2,2024-03-01T11:30:00Z,13.0,1,FR
c1,2024-03-02T09:15:00Z,99.9,5,DE
c3,2024-03-03T18:45:00Z,7.25,1,DE
c2,2024-03-04T08:00:00Z,54.0,3,FR
"""


@dataclass(frozen=True)
class Ran:
    """What a command gave: its exit code, its data and its talk."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its data read as one JSON document."""
        return json.loads(self.out)


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write texts, dedented, to paths relative to `folder`, and return `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder
