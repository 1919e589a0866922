"""What queries gave, kept as Parquet files for as long as what they read has not changed.

A file is named by the query, the engine and the identity of every file that the query reads. The
folder is a cache: it may be deleted whenever nothing runs. It is held below a size, the longest
unused first, and never something used in the last minutes, since another process may be reading it.
"""

import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.canonical import digest
from registry.kernel.errors import Unavailable

Evaluate = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
ROW_GROUP_ROWS = 122_880
IN_USE_SECONDS = 600.0
_ONCE = "once-"
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class EvaluatedQueries:
    """A folder of answers, `most_bytes` in all."""

    folder: Path
    most_bytes: int

    def keep(self, mark: str | None, evaluate: Evaluate) -> Path:
        """The file of the answer known by `mark`, evaluated unless it is here. Where `mark` is None
        nothing says that the answer would be the same again: it is evaluated, for this once.

        Raises `Unavailable` when the disk does not take it; a stopped write leaves nothing behind.
        """
        name = mark.removeprefix("sha256:") if mark else _ONCE + secrets.token_hex(8)
        path = self.folder / f"{name}.parquet"
        with _one_at_a_time:  # two views of one query are given one answer
            with suppress(FileNotFoundError):
                os.utime(path)
                return path
            with self._new_file() as file:
                _write(evaluate, file)
                file.replace(path)
            self._hold_down()
        return path

    def _hold_down(self) -> None:
        """Delete what has not been used for longest, until the rest is small enough."""
        now = time.time()
        files = sorted(_sizes(self.folder.glob("*.parquet")))
        total = sum(size for _, size, _ in files)
        for used, size, path in files:
            idle = now - used > IN_USE_SECONDS
            if idle and (total > self.most_bytes or path.name.startswith(_ONCE)):
                path.unlink(missing_ok=True)
                total -= size

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        name = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            os.close(handle)
            yield Path(name)
        except OSError as error:
            raise Unavailable(
                f"cannot keep what a query gave in {self.folder}",
                str(error),
                "free some disk space, or make the folder writable",
            ) from error
        finally:
            if name is not None:
                Path(name).unlink(missing_ok=True)


def mark_of(engine: str, query: str, files: Iterable[str]) -> str:
    """The digest that stands for a query's answer: the query, the engine, and each file's path,
    size, number and times of change. A file that is gone has none: reading it will tell."""
    return _mark(engine, query, [(file, _looked_at(file)) for file in files])


def lasting_mark(engine: str, query: str, files: Iterable[str]) -> str | None:
    """The same for those who keep it: None when a file changed within `_TICK_SECONDS`, or in the
    future by our clock, since it might change again and bear the same time; or is gone."""
    found = [(file, _looked_at(file)) for file in files]
    settled = time.time() - _TICK_SECONDS
    if any(one is None or max(one.st_mtime, one.st_ctime) > settled for _, one in found):
        return None
    return _mark(engine, query, found)


_TICK_SECONDS = 2.1  # the coarsest clock of a file system (FAT)


def _looked_at(file: str) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 (a text, as the engine has it)
    except FileNotFoundError:
        return None


def _mark(engine: str, query: str, files: Iterable[tuple[str, os.stat_result | None]]) -> str:
    return digest([engine, query, [[file, *_identity(found)] for file, found in files]])


def _identity(found: os.stat_result | None) -> list[str]:
    """The time of change (ctime) cannot be set by whoever copies a file over and keeps its date."""
    if found is None:
        return []
    return [str(n) for n in (found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)]


def _write(evaluate: Evaluate, file: Path) -> None:
    with (
        evaluate() as reader,
        pq.ParquetWriter(file, reader.schema, compression="lz4") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)


def _sizes(paths: Iterable[Path]) -> Iterator[tuple[float, int, Path]]:
    for path in paths:
        with suppress(FileNotFoundError):
            found = path.stat()
            yield found.st_mtime, found.st_size, path
