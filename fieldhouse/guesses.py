"""Guesses about a table from its columns alone: what it is about, when a row became known. Pure."""

import keyword
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from registry.kernel.errors import Misuse, nearest_names

_KEY_NAME = re.compile(r"(^|_)(id|key|code|uuid|guid|sku|no|number|num)$")
_CREATED_NAME = re.compile(r"(^|_)(created|inserted|ingested|loaded|processed|recorded)(_|$)")
_TIME_NAMES = ("event_timestamp", "event_time", "timestamp", "occurred_at", "time", "ts", "date")
_KEY_TYPES = frozenset({"string", "int32", "int64"})
_TAKEN = sys.stdlib_module_names | {
    *("fieldhouse", "registry", "warehouse", "training", "featureserver", "serving"),
    *("entities", "sources", "services", "feature_repo", "governed"),
    *("feast", "pandas", "numpy", "pyarrow", "tests"),
}
_MOSTLY_UNIQUE = 0.95


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the user's file. `dtype` is a feature type, None when no feature can have it.

    `distinct` and `nulls` count values and may be estimates; `name` is the name in our copy,
    `original` the one in the file.
    """

    name: str
    original: str
    dtype: str | None
    distinct: int
    nulls: int

    @property
    def is_time(self) -> bool:
        return self.dtype == "timestamp"


@dataclass(frozen=True, slots=True)
class Roles:
    """What each column is for: a key, a time, perhaps the time of creation, features."""

    entity: Column
    time: Column
    created: Column | None
    features: tuple[Column, ...]
    left_out: tuple[Column, ...]
    guessed: tuple[str, ...]


def assign_roles(
    columns: Sequence[Column], rows: int, entity: str | None, time: str | None
) -> Roles:
    """Give each column its role: as asked, else guessed. `rows` is the number of rows.

    Raises `Misuse` when a named column is not there, of no use, or nothing can be guessed.
    """
    at = _named(columns, time, "time") if time else _guess_time(columns)
    if not at.is_time:
        raise Misuse(
            f"column {at.original!r} holds no instants, so it cannot be the event time",
            f"it holds {at.dtype or 'values that no feature can have'}",
            "write instants as 2013-10-01T12:00:00Z",
        )
    key = _named(columns, entity, "entity") if entity else _guess_key(columns, rows, at)
    if key.dtype not in _KEY_TYPES or key is at:
        raise Misuse(
            f"column {key.original!r} cannot be an entity's key", "a key is text or a whole number"
        )
    created = next((c for c in columns if _is_created(c) and c not in (at, key)), None)
    others = [c for c in columns if c not in (key, at, created)]
    guessed = tuple(what for what, given in (("entity", entity), ("time", time)) if not given)
    return Roles(
        key,
        at,
        created,
        tuple(c for c in others if c.dtype is not None),
        tuple(c for c in others if c.dtype is None),
        guessed,
    )


def _named(columns: Sequence[Column], name: str, option: str) -> Column:
    for column in columns:
        if name in (column.original, column.name):
            return column
    names = [column.original for column in columns]
    nearest = nearest_names(name, names) or tuple(names)
    raise Misuse(f"--{option}: the file has no column {name!r}", f"it has: {', '.join(nearest)}")


def _is_created(column: Column) -> bool:
    return column.is_time and bool(_CREATED_NAME.search(column.name))


def _guess_time(columns: Sequence[Column]) -> Column:
    times = [column for column in columns if column.is_time]
    if not times:
        raise Misuse(
            "no column holds instants, so nothing says when a row became known",
            f"columns: {', '.join(column.original for column in columns)}",
            "add such a column; features without it cannot be joined as of a time",
        )
    known = [column for column in times if column.name in _TIME_NAMES]
    events = [column for column in times if not _CREATED_NAME.search(column.name)]
    if known:
        return min(known, key=lambda column: _TIME_NAMES.index(column.name))
    return (events or times)[0]


def _guess_key(columns: Sequence[Column], rows: int, time: Column) -> Column:
    candidates = [c for c in columns if c.dtype in _KEY_TYPES and c is not time]
    named = [column for column in candidates if _KEY_NAME.search(column.name)]
    words = [column for column in candidates if column.dtype == "string"]
    pool = named or (words if len(words) == 1 else [])
    if not pool:
        raise Misuse(
            "cannot tell which column says what a row is about",
            f"columns: {', '.join(column.original for column in columns)}",
            "name it with --entity",
        )
    # A key that is new in every row names events, not things that have a history.
    return next((c for c in pool if c.distinct <= _MOSTLY_UNIQUE * rows), pool[0])


def module_name(text: str) -> str:
    """A name that a folder of definitions can have: no keyword, nothing that Python imports."""
    (name,) = clean_names([text])
    return f"{name}_data" if keyword.iskeyword(name) or name in _TAKEN else name


def clean_names(originals: Sequence[str]) -> list[str]:
    """Column names in snake_case, made distinct by a number where two would be the same."""
    made: list[str] = []
    for original in originals:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", original.strip())
        name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "column"
        name = f"c_{name}" if name[0].isdigit() else name
        unique, count = name, 2
        while unique in made:
            unique, count = f"{name}_{count}", count + 1
        made.append(unique)
    return made
