"""Says whether a source still gives what was kept of it, and by how much it moved. Pure Arrow.

All of it is in memory; `training.compare` does the same for more rows than fit.

Sums of floating-point numbers differ in their last bits between parallel runs, and rows of a query
come in any order. Neither is a move: rows are counted as a bag, numbers compared to nine digits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_SAME = 1e-9
_DIGITS = 9

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Move:
    """How a source differs from what was kept.

    A row is `appended` when nothing was kept of its key and event time, `late` ones among them
    being older than the newest kept; `corrected` when something else was; `repeated` when it was
    kept, fewer times; `removed` when it was kept and nothing has its key and event time now.
    """

    rows: int
    rows_now: int
    appended: int = 0
    late: int = 0
    corrected: int = 0
    repeated: int = 0
    removed: int = 0
    retyped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.appended or self.corrected or self.repeated or self.removed or self.retyped
        )

    def __add__(self, other: "Move") -> "Move":
        """The move of two disjoint lots of rows, none sharing an identity with the other's."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Move(*(ours + theirs for ours, theirs in pairs))

    @property
    def sentence(self) -> str:
        """The move in words, from all to nothing."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.retyped:
            yield f"other types now: {', '.join(self.retyped)}"
        if self.appended:
            late = f" ({self.late:,} of them older than the newest kept)" if self.late else ""
            yield f"{_rows(self.appended)} appended{late}"
        for count, what in (
            (self.corrected, "corrected"),
            (self.repeated, "repeated"),
            (self.removed, "removed"),
        ):
            if count:
                yield f"{_rows(count)} {what}"


def compare_rows(
    kept: pa.Table, now: pa.Table, identity: Sequence[str] = (), event: str | None = None
) -> Move | None:
    """How `now` differs from `kept`, columns being of the same names; None when it does not.

    `identity` names the columns of key and event time, `event` that of event time alone.
    """
    retyped = retyped_columns(kept.schema, now.schema)
    if retyped:
        return Move(kept.num_rows, now.num_rows, retyped=retyped)
    newest = pc.max(kept.column(event)) if event is not None else None
    return move_between(kept, now, identity, event, newest) or None


def retyped_columns(kept: pa.Schema, now: pa.Schema) -> tuple[str, ...]:
    """The columns of `kept` that have another type `now`, with both types."""
    return tuple(
        f"{field.name} ({field.type} → {now.field(field.name).type})"
        for field in kept
        if now.field(field.name).type != field.type
    )


def move_between(
    kept: pa.Table, now: pa.Table, identity: Sequence[str], event: str | None, newest: Any
) -> Move:
    """How `now`, of the same columns and types, differs from `kept`; rows are late when their
    `event` is before the scalar `newest`, that of all kept rows."""
    both = pa.concat_tables([kept, now.select(kept.column_names)])
    return _Bags(both, kept.num_rows, list(identity)).move(event, newest)


def changed_rows(before: pa.Table, after: pa.Table) -> tuple[int, tuple[str, ...]]:
    """How many rows of two tables, side by side, differ, and in which columns."""
    differs = np.zeros(before.num_rows, dtype=bool)
    columns = []
    for name in before.column_names:
        changed = _differ(before.column(name), after.column(name))
        differs |= changed
        if changed.any():
            columns.append(name)
    return int(differs.sum()), tuple(columns)


class _Bags:
    """Kept and present rows as two bags of numbered rows, each with a numbered identity."""

    def __init__(self, both: pa.Table, kept: int, identity: list[str]) -> None:
        self.both, self.kept = both, kept
        rows = _numbered(both.columns, both.num_rows)
        who = _numbered(map(both.column, identity), both.num_rows)
        self.first = _first_of(rows)
        self.who = who[self.first]
        before = np.bincount(rows[:kept], minlength=len(self.first))
        after = np.bincount(rows[kept:], minlength=len(self.first))
        self.known = before > 0
        self.more, self.fewer = np.maximum(after - before, 0), np.maximum(before - after, 0)
        self.who_kept = np.bincount(who[:kept], minlength=who.max(initial=-1) + 1) > 0
        self._forgive_noise(who.max(initial=-1) + 1)

    def move(self, event: str | None, newest: Any) -> Move:
        known = self.who_kept[self.who]
        fresh = (self.more > 0) & ~known
        others = (self.more > 0) & known
        came = np.zeros(len(self.who_kept), dtype=bool)
        came[self.who[others]] = True
        gone = (self.fewer > 0) & ~came[self.who]
        return Move(
            rows=self.kept,
            rows_now=self.both.num_rows - self.kept,
            appended=int(self.more[fresh].sum()),
            late=int(self.more[fresh & self._late(event, newest)].sum()),
            corrected=int(self.more[others & ~self.known].sum()),
            repeated=int(self.more[others & self.known].sum()),
            removed=int(self.fewer[gone].sum()),
        )

    def _late(self, event: str | None, newest: Any) -> Flags:
        """Which rows are older than the newest that was kept."""
        if event is None or newest is None:
            return np.zeros(len(self.first), dtype=bool)
        times = self.both.column(event).take(pa.array(self.first))
        flags: Flags = pc.fill_null(pc.less(times, newest), False).to_numpy()
        return flags

    def _forgive_noise(self, identities: int) -> None:
        """One row more and one fewer of an identity may be equal but for a rounded digit."""
        more, fewer = np.flatnonzero(self.more == 1), np.flatnonzero(self.fewer == 1)
        once = np.full((2, identities), -1, dtype=np.int64)
        for side, rows in enumerate((more, fewer)):
            single = np.bincount(self.who[rows], minlength=identities) == 1
            rows = rows[single[self.who[rows]]]
            once[side, self.who[rows]] = rows
        pairs = once[:, (once >= 0).all(axis=0)]
        if not pairs.shape[1]:
            return
        left, right = (self.both.take(pa.array(self.first[side])) for side in pairs)
        same = np.ones(pairs.shape[1], dtype=bool)
        for name in self.both.column_names:
            same &= ~_differ(left.column(name), right.column(name))
        self.more[pairs[0, same]] = 0
        self.fewer[pairs[1, same]] = 0


def _numbered(columns: Iterable[pa.ChunkedArray], rows: int) -> Ids:
    """A number a row, the same for equal rows, numbers to nine digits."""
    ids = np.zeros(rows, dtype=np.int64)
    for column in columns:
        codes = _codes(column)
        ids = np.unique(ids * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return ids.astype(np.int64)


def _codes(column: pa.ChunkedArray) -> Ids:
    plain = plain_column(column).combine_chunks()
    encoded = pc.dictionary_encode(plain, null_encoding="encode")
    codes: Ids = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with equal values where `move_between` holds them for equal: numbers of nine
    digits, lists and structs as text, dictionaries as what they stand for."""
    if pa.types.is_nested(column.type):
        texts = [repr(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_floating(column.type):
        return pa.chunked_array([_rounded(column)])
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _rounded(column: pa.ChunkedArray) -> pa.Array:
    values = column.cast(pa.float64()).to_numpy()
    with np.errstate(all="ignore"):
        scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        rounded = np.where(np.isfinite(scale), np.round(values * scale) / scale, values)
    return pa.array(rounded, mask=column.is_null().to_numpy())


def _first_of(ids: Ids) -> Ids:
    first: Ids = np.unique(ids, return_index=True)[1].astype(np.int64)
    return first


def _differ(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Flags:
    if left.type != right.type:
        return np.ones(len(left), dtype=bool)
    if pa.types.is_floating(left.type):
        ours, theirs = left.to_numpy(), right.to_numpy()
        return _inverse(np.isclose(ours, theirs, rtol=_SAME, atol=0.0, equal_nan=True))
    if pa.types.is_nested(left.type):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([ours != theirs for ours, theirs in pairs], dtype=bool)
    equal = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(left.is_null(), right.is_null())
    return _inverse(pc.or_(equal, both_null).to_numpy())


def _inverse(same: Flags) -> Flags:
    differs: Flags = np.logical_not(same)
    return differs


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
