"""Profiles of what was materialized last, one JSON file a line. Written whole or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from registry.core.published import PublishedView
from registry.kernel.errors import Corrupt, NotFound
from warehouse.profiles import ColumnProfile


@dataclass(frozen=True, slots=True)
class ViewProfile:
    """Statistics and sketches of each feature over the rows that one run wrote: those that became
    visible in (since, until]; `since` None means all newest rows."""

    view: str
    generation: int
    since: datetime | None
    until: datetime
    rows: int
    features: Mapping[str, ColumnProfile]


@dataclass(frozen=True, slots=True)
class ProfileFiles:
    """A folder of profiles."""

    folder: Path

    def keep(self, view: PublishedView, profile: ViewProfile) -> Path:
        """Replace the profile of a line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(view.key)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=1))
        part.replace(path)
        return path

    def read(self, view_key: str) -> ViewProfile:
        """The profile of a line's last run; raises `NotFound` or `Corrupt`."""
        path = self._path(view_key)
        if not path.is_file():
            known = (file.stem for file in self.folder.glob("*.json"))
            raise NotFound("profile of a materialization", view_key, known)
        try:
            return msgspec.json.decode(path.read_bytes(), type=ViewProfile)
        except msgspec.MsgspecError as error:
            raise Corrupt(f"the profile {path} cannot be read", str(error)) from error

    def _path(self, view_key: str) -> Path:
        return self.folder / f"{view_key}.json"
