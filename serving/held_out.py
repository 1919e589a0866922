"""Names that a server does not serve for now. Workers of one server share them through a folder."""

from pathlib import Path

from serving.bundle import check_name


class HeldOut:
    """Marks on names: in memory, or, for processes that share them, an empty file each."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._here: set[str] = set()

    def names(self) -> frozenset[str]:
        if self._folder is None:
            return frozenset(self._here)
        return frozenset(file.name for file in self._folder.iterdir())

    def hold(self, name: str) -> None:
        if self._folder is None:
            self._here.add(name)
        else:
            (self._folder / check_name(name)).touch()

    def release(self, name: str) -> None:
        if self._folder is None:
            self._here.discard(name)
        else:
            (self._folder / check_name(name)).unlink(missing_ok=True)
