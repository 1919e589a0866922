"""Splits: which part each row belongs to, by time or by group, so that no part sees another. Pure.

A split is part of the spec; membership is computed from the rows whenever it is asked for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.errors import Invalid, Misuse, NotFound
from warehouse.instants import ticks_of, ticks_of_column

Part = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSplit:
    """Parts one after the other in time: each ends before its instant, the last has None.

    A row within `gap_seconds` before an end belongs to no part: its label may only have become
    known after the next part began. Nor does one whose time in `known_column`, when its label was
    known, is not before its part's end. Nor does a row without a time.
    """

    parts: tuple[tuple[str, datetime | None], ...]
    gap_seconds: float = 0.0
    known_column: str | None = None
    kind: str = "time"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSplit:
    """Parts of the groups of `column`: all rows of a group are in one part, chosen by hash.

    `parts` are shares that sum to 1. A row without a group belongs to no part.
    """

    column: str
    parts: tuple[tuple[str, float], ...]
    seed: str = ""
    kind: str = "group"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Exactly one of the two kinds."""

    by_time: TimeSplit | None = None
    by_group: GroupSplit | None = None

    @property
    def chosen(self) -> TimeSplit | GroupSplit:
        found = self.by_time or self.by_group
        if found is None:
            raise Misuse("a split needs parts")
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return self.chosen.names


def split_by_time(parts: Mapping[str, datetime | None], gap_seconds: float = 0.0) -> Splits:
    """Parts in order of time, `{"train": aware datetime, "test": None}`: each holds the rows
    before its instant that no earlier part holds; only the last may be None.

    Raises `Invalid` when instants do not rise or have no zone.
    """
    ends = list(parts.values())
    if not ends or any(end is None for end in ends[:-1]):
        raise Invalid("each part but the last must end at an instant", f"found {dict(parts)}")
    for end in ends:
        if end is not None:
            ticks_of(end, "us")
    known = [end for end in ends if end is not None]
    if any(later <= earlier for earlier, later in pairwise(known)):
        raise Invalid("parts must follow each other in time", f"found {dict(parts)}")
    if gap_seconds < 0:
        raise Invalid(f"a gap cannot be {gap_seconds} seconds")
    return Splits(by_time=TimeSplit(parts=tuple(parts.items()), gap_seconds=gap_seconds))


def split_by_group(column: str, shares: Mapping[str, float], seed: str = "") -> Splits:
    """Parts by share of the groups of `column`; `seed` makes another draw.

    Raises `Invalid` unless shares are positive and sum to 1.
    """
    if any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise Invalid("shares must be positive and sum to 1", f"found {dict(shares)}")
    return Splits(by_group=GroupSplit(column=column, parts=tuple(shares.items()), seed=seed))


def assign_parts(table: pa.Table, time_column: str, splits: Splits, zone: str) -> Part:
    """For each row the number of its part, -1 for none."""
    if splits.by_time is not None:
        parts = _by_time(table.column(time_column), splits.by_time, zone)
        if splits.by_time.known_column is not None:
            known = table.column(splits.by_time.known_column)
            parts[_known_late(known, parts, splits.by_time, zone)] = -1
        return parts
    group = splits.chosen
    assert isinstance(group, GroupSplit)
    if group.column not in table.column_names:
        raise NotFound("column to split by", group.column, table.column_names)
    return _by_group(table.column(group.column), group)


def rows_of(table: pa.Table, part: str, time_column: str, splits: Splits, zone: str) -> pa.Table:
    """The rows of one part, in order; raises `NotFound` for a part that does not exist."""
    if part not in splits.names:
        raise NotFound("split", part, splits.names)
    parts = assign_parts(table, time_column, splits, zone)
    return table.filter(pa.array(parts == splits.names.index(part)))


def _by_time(column: pa.ChunkedArray, split: TimeSplit, zone: str) -> Part:
    ticks = ticks_of_column(column, "us", zone)
    times = ticks.fill_null(0).to_numpy()
    ends = np.array([ticks_of(e, "us") for _, e in split.parts if e is not None], dtype=np.int64)
    parts: Part = np.searchsorted(ends, times, side="right").astype(np.int64)
    gap = round(split.gap_seconds * 1_000_000)
    for end in ends if gap else ():
        parts[(times < end) & (times >= end - gap)] = -1
    parts[parts >= len(split.parts)] = -1
    parts[ticks.is_null().to_numpy()] = -1
    return parts


def _known_late(column: pa.ChunkedArray, parts: Part, split: TimeSplit, zone: str) -> Any:
    """Which rows have a label that was not known when their part ended."""
    ticks = ticks_of_column(column, "us", zone)
    never = np.iinfo(np.int64).max
    ends = [never if end is None else ticks_of(end, "us") for _, end in split.parts]
    return ticks.fill_null(never).to_numpy() >= np.array([*ends, never], dtype=np.int64)[parts]


def _by_group(column: pa.ChunkedArray, split: GroupSplit) -> Part:
    encoded = pc.dictionary_encode(column.combine_chunks())
    bounds = np.cumsum([share for _, share in split.parts])
    places = _places(encoded.dictionary.to_pylist(), split.seed)
    of_group = np.minimum(np.searchsorted(bounds, places, side="right"), len(bounds) - 1)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not len(of_group):
        return np.full(len(codes), -1, dtype=np.int64)
    parts: Part = np.where(codes < 0, -1, of_group[codes]).astype(np.int64)
    return parts


def _places(groups: Sequence[Any], seed: str) -> npt.NDArray[np.float64]:
    """Where each group falls between 0 and 1; the same for a value on every machine."""
    digests = (hashlib.sha256(f"{seed}\0{group}".encode()).digest()[:8] for group in groups)
    return np.array([int.from_bytes(d, "big") / 2**64 for d in digests], dtype=np.float64)
