"""Writes training sets into their folder: whole or not at all, and never twice."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Conflict, NotFound, Unavailable
from training.dataset import DATA, MANIFEST, SEAL, TrainingSet, load_folder, seal_of
from training.manifest import Manifest, to_json

ROW_GROUP_ROWS = 122_880
_NEW = ".new-"


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

    def write(self, table: pa.Table, manifest: Manifest) -> TrainingSet:
        """Write a new set. Raises `Conflict` when the name is taken, `Unavailable` when the disk
        does not take it; either way nothing is left behind."""
        target = self.root / manifest.name
        with self._new_folder() as folder:
            pq.write_table(table, folder / DATA, compression="zstd", row_group_size=ROW_GROUP_ROWS)
            data = to_json(manifest)
            (folder / MANIFEST).write_bytes(data)
            (folder / SEAL).write_text(seal_of(data))
            _rename(folder, target)
        return load_folder(target)

    def remove(self, name: str) -> None:
        """Take a set away again, when what follows writing it has failed."""
        shutil.rmtree(self.root / name, ignore_errors=True)

    def leftovers(self) -> list[Path]:
        """What killed writers left, when nobody writes now."""
        return sorted(self.root.glob(f"{_NEW}*"))

    @contextmanager
    def _new_folder(self) -> Iterator[Path]:
        self.root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.root, prefix=_NEW))
        try:
            yield folder
        except OSError as error:
            raise Unavailable(
                f"cannot write in {self.root}", str(error), "free some disk space"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


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
