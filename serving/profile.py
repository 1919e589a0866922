"""The reference profile: how columns, keys and answers lay at training time, for drift. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt

BINS = 10
MOST_LEVELS = 20
MOST_KEYS = 2000


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Counts of one column of numbers.

    Bin i holds edges[i-1] < value <= edges[i], open at both ends. A column of few whole numbers is
    taken for a category: `levels` are its values, each an edge too, so that a bin holds one value
    and the last bin those above all of them.
    """

    name: str
    rows: int
    missing: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    levels: tuple[float, ...] = ()
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class KeyProfile:
    """Counts of an entity key's values: the most frequent ones by name, the rest as `others`."""

    name: str
    rows: int
    missing: int
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    others: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What a bundle knows of its training time: columns, entity keys, and the model's answers."""

    columns: tuple[ColumnProfile, ...]
    keys: tuple[KeyProfile, ...] = ()
    outputs: tuple[ColumnProfile, ...] = ()


def profile_columns(
    rows: NDArray[np.float64], names: Sequence[str], bins: int = BINS
) -> tuple[ColumnProfile, ...]:
    """Profile `rows` (float64 [n, k], NaN is missing), `names` [k]: equal-count bins per column."""
    return tuple(_profile(rows[:, i], name, bins) for i, name in enumerate(names))


def _profile(column: NDArray[np.float64], name: str, bins: int) -> ColumnProfile:
    present = column[np.isfinite(column)]
    values = np.unique(present[: 50 * MOST_LEVELS])
    if 0 < len(values) <= MOST_LEVELS and (values == np.rint(values)).all():
        levels = np.unique(present)
        if len(levels) <= MOST_LEVELS:
            edges = tuple(levels.tolist())
            return _counted(column, name, edges, edges)
    parts = np.linspace(0, 1, bins + 1)[1:-1]
    edges_found = np.unique(np.quantile(present, parts)) if len(present) else np.empty(0)
    return _counted(column, name, tuple(edges_found.tolist()), ())


def count_again(reference: ColumnProfile, column: NDArray[np.float64]) -> ColumnProfile:
    """Other values of the same column counted in the reference's bins, so that they add up."""
    return _counted(column, reference.name, reference.edges, reference.levels)


def _counted(
    column: NDArray[np.float64], name: str, edges: tuple[float, ...], levels: tuple[float, ...]
) -> ColumnProfile:
    present = column[np.isfinite(column)]
    places = np.searchsorted(np.array(edges), present, side="left")
    counts = np.bincount(places, minlength=len(edges) + 1)
    unseen = int((~np.isin(present, levels)).sum()) if levels else 0
    missing = len(column) - len(present)
    return ColumnProfile(name, len(column), missing, edges, tuple(counts.tolist()), levels, unseen)


def profile_key(name: str, values: Sequence[Any]) -> KeyProfile:
    """Profile an entity key's values, of any type, None where there is none."""
    found = Counter(str(value) for value in values if value is not None)
    named = found.most_common(MOST_KEYS)
    others = found.total() - sum(count for _, count in named)
    levels = tuple(level for level, _ in named)
    counts = tuple(count for _, count in named)
    return KeyProfile(name, len(values), len(values) - found.total(), levels, counts, others)


def profile_keys(keys: Mapping[str, Sequence[Any]]) -> tuple[KeyProfile, ...]:
    return tuple(profile_key(name, values) for name, values in keys.items())


def encode_profile(profile: Profile) -> bytes:
    return msgspec.json.encode(profile)


def decode_profile(data: bytes) -> Profile:
    """Read `profile.json`; raises `Corrupt`. Bundles made before keys and answers were profiled
    hold a list of columns."""
    try:
        if data[:1] == b"[":
            return Profile(tuple(msgspec.json.decode(data, type=list[ColumnProfile])))
        return msgspec.json.decode(data, type=Profile)
    except msgspec.MsgspecError as error:
        raise Corrupt("the bundle's reference profile cannot be read", str(error)) from error
