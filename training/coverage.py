"""What each view answered of a spine: rows, keys, and what its ttl left out. Pure."""

import zlib
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_FOUND = "__found"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a spine one view answered. `expired` rows had a value, older than the ttl.

    `keys` counts the different keys of the spine (rows with a null in theirs have none), and
    `keys_found` those of them that the view answered at least once; both are estimates where there
    are very many (see `CoverageCount`).
    """

    view: str
    rows: int
    found: int
    expired: int
    keys: int = 0
    keys_found: int = 0

    @property
    def share(self) -> float:
        return self.found / self.rows if self.rows else 1.0

    @property
    def key_share(self) -> float:
        return self.keys_found / self.keys if self.keys else 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """For each spine row whether one view answered it, and whether only its ttl kept it from that
    (bool arrays without nulls)."""

    view: str
    join_keys: tuple[str, ...]
    found: pa.ChunkedArray
    expired: pa.ChunkedArray


class CoverageCount:
    """Counts the answers of one view, batch of the spine by batch.

    Keys are counted one by one, in memory, up to `most_keys` different ones. Of more, a share is
    drawn by hash, halved each time they are too many again, and the numbers of keys are estimates.
    """

    def __init__(self, view: str, join_keys: tuple[str, ...], most_keys: int = 4_000_000) -> None:
        self._view, self._names, self._most = view, list(join_keys), most_keys
        self._rows = self._found = self._expired = 0
        self._halvings = 0
        self._keys: pa.Table | None = None

    def add(self, answer: Answer, spine: pa.Table) -> None:
        """Count an answer for these rows; `spine` has the join keys in its columns."""
        self._rows += spine.num_rows
        self._found += pc.sum(answer.found).as_py() or 0
        self._expired += pc.sum(answer.expired).as_py() or 0
        keys = self._drawn(_answered(answer, spine, self._names))
        if self._keys is not None:
            keys = _merged(pa.concat_tables([self._keys, keys]), self._names)
        while keys.num_rows > self._most:
            self._halvings += 1
            keys = self._drawn(keys)
        self._keys = keys

    def done(self) -> Coverage:
        """What was counted."""
        known = self._keys
        scale = 2**self._halvings
        return Coverage(
            view=self._view,
            rows=self._rows,
            found=self._found,
            expired=self._expired,
            keys=scale * (known.num_rows if known is not None else 0),
            keys_found=scale * ((known and pc.sum(known.column(_FOUND)).as_py()) or 0),
        )

    def _drawn(self, keys: pa.Table) -> pa.Table:
        if not self._halvings:
            return keys
        mask = np.uint64(2**self._halvings - 1)
        return keys.filter(pa.array((_hashes(keys.select(self._names)) & mask) == 0))


def measure(answer: Answer, spine: pa.Table) -> Coverage:
    """Count the answer for a whole spine; `spine` has the join keys in its columns."""
    count = CoverageCount(answer.view, answer.join_keys)
    count.add(answer, spine)
    return count.done()


def _answered(answer: Answer, spine: pa.Table, names: list[str]) -> pa.Table:
    """Each different key without nulls, and whether it was answered at least once (int8)."""
    columns = [_decoded(spine.column(name)) for name in names]
    known = reduce(pc.and_, (column.is_valid() for column in columns))
    found = answer.found.cast(pa.int8())
    return _merged(pa.table([*columns, found], names=[*names, _FOUND]).filter(known), names)


def _merged(keys: pa.Table, names: list[str]) -> pa.Table:
    merged = keys.group_by(names, use_threads=False).aggregate([(_FOUND, "max")])
    return merged.rename_columns([*names, _FOUND])


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Batches of one column may have unlike dictionaries, which cannot be grouped together."""
    arrow = column.type
    return column.cast(arrow.value_type) if pa.types.is_dictionary(arrow) else column


def _hashes(keys: pa.Table) -> npt.NDArray[np.uint64]:
    """A 64-bit hash a row, the same for equal keys in every batch."""
    hashes = np.zeros(keys.num_rows, dtype=np.uint64)
    for column in keys.columns:
        if pa.types.is_integer(column.type):
            values = column.to_numpy().astype(np.int64).view(np.uint64)
        else:
            texts = (repr(value).encode() for value in column.to_pylist())
            values = np.array([zlib.crc32(text) for text in texts], dtype=np.uint64)
        hashes = _mixed(hashes ^ values)
    return hashes


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea, Flood: OOPSLA 2014)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed
