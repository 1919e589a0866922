"""The lookup that `from fieldhouse import Lookup` gives: opened from the working folder."""

from pathlib import Path
from types import TracebackType
from typing import Self

from featureserver import lookup as core
from featureserver.bootstrap import open_lookup
from registry.kernel.settings import read_settings


class Lookup(core.Lookup):
    """Looks features up in process, with the settings in force in `folder` (the working folder).

        with Lookup() as features:
            features.get("flight_delay", {"origin": ["JFK"]}).to_dict()

    Close it, or use it as a context manager: an embedded Redis runs for as long as it is open.
    Raises `Misuse`, `Invalid` or `Unavailable` when something it needs is missing.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        opened = open_lookup(read_settings(Path(folder) if folder else Path.cwd()))
        super().__init__(opened.plans, opened.store, opened.clock, resources=opened.resources)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
