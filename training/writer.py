"""Writes training sets into their folder: whole or not at all, and never twice."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from registry.kernel.errors import Conflict, NotFound, Unavailable
from training.dataset import DATA, MANIFEST, SEAL, TrainingSet, load_folder, seal_of
from training.manifest import Manifest, to_json
from training.stream import TableWriter

_NEW = ".new-"
_GOING = ".new-removed-"


class Draft:
    """A set whose rows are being written, in a hidden folder that goes unless it is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer = TableWriter(folder / DATA)

    @property
    def data(self) -> Path:
        """The Parquet file; whole after `close`."""
        return self._folder / DATA

    def write(self, table: pa.Table) -> None:
        """Add rows; the first table says the columns."""
        self._writer.write(table)

    def close(self) -> None:
        """End the file of rows."""
        self._writer.close()

    def give_up(self) -> None:
        """Remove whatever has not been kept."""
        self._writer.give_up()
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, manifest: Manifest, where: "DatasetFolder") -> TrainingSet:
        """Make it the set of the manifest's name; raises `Conflict` when the name is taken."""
        data = to_json(manifest)
        (self._folder / MANIFEST).write_bytes(data)
        (self._folder / SEAL).write_text(seal_of(data))
        where.root.mkdir(parents=True, exist_ok=True)
        target = where.root / manifest.name
        _rename(self._folder, target)
        return load_folder(target)


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """`<home>/datasets`: one folder a training set, holding data and manifest."""

    root: Path

    def names(self) -> tuple[str, ...]:
        """The names of all training sets here, sorted."""
        return tuple(sorted(file.parent.name for file in self.root.glob(f"[!.]*/{MANIFEST}")))

    def has(self, name: str) -> bool:
        return (self.root / name / MANIFEST).is_file()

    def load(self, name: str) -> TrainingSet:
        """The set of that name; raises `NotFound` with the nearest names, or `Corrupt`."""
        if not self.has(name):
            raise NotFound("training set", name, self.names())
        return load_folder(self.root / name)

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A new set to write, which goes again unless it is kept. Raises `Unavailable` when the
        disk does not take it."""
        draft = None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            draft = Draft(Path(tempfile.mkdtemp(dir=self.root, prefix=_NEW)))
            yield draft
        except OSError as error:
            raise Unavailable(
                f"cannot write in {self.root}", str(error), "free some disk space"
            ) from error
        finally:
            if draft is not None:
                draft.give_up()

    def remove(self, name: str) -> None:
        """Take a set away: at once for whoever looks, its files after that."""
        going = self.root / f"{_GOING}{os.getpid()}-{name}"
        try:
            (self.root / name).rename(going)
        except FileNotFoundError:
            return
        shutil.rmtree(going, ignore_errors=True)

    def leftovers(self) -> list[Path]:
        """What killed writers left, when nobody writes now."""
        return sorted(self.root.glob(f"{_NEW}*"))


def _rename(folder: Path, target: Path) -> None:
    """A rename onto a folder that holds something fails, so two writers cannot both win."""
    folder.chmod(0o755)
    try:
        os.rename(folder, target)  # noqa: PTH104 (Path.rename says the same)
    except OSError as error:
        if target.exists():
            raise Conflict(
                f"a training set named {target.name!r} exists",
                "a training set is never written twice",
                "choose another name, such as one with a date",
            ) from error
        raise
