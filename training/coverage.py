"""What each view answered of a spine: rows, keys, and what its ttl left out. Pure."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_FOUND = "__found"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a spine one view answered. `expired` rows had a value, older than the ttl.

    `keys` counts the different keys of the spine (rows with a null in theirs have none), and
    `keys_found` those of them that the view answered at least once.
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


def measure(answer: Answer, spine: pa.Table) -> Coverage:
    """Count an answer; `spine` has the join keys in its columns."""
    keys, keys_found = _keys(answer, spine)
    return Coverage(
        view=answer.view,
        rows=spine.num_rows,
        found=pc.sum(answer.found).as_py() or 0,
        expired=pc.sum(answer.expired).as_py() or 0,
        keys=keys,
        keys_found=keys_found,
    )


def _keys(answer: Answer, spine: pa.Table) -> tuple[int, int]:
    names = list(answer.join_keys)
    columns = [spine.column(name) for name in names]
    known = columns[0].is_valid()
    for column in columns[1:]:
        known = pc.and_(known, column.is_valid())
    found = answer.found.cast(pa.int8())
    table = pa.table(columns, names=names).append_column(_FOUND, found).filter(known)
    answered = table.group_by(names).aggregate([(_FOUND, "max")]).column(f"{_FOUND}_max")
    return len(answered), pc.sum(answered).as_py() or 0
