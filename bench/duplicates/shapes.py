"""What a feature of the corpus computes, as small frozen values. No SQL is written here.

Expressions are text in which `[column]` stands for a column of the stream's table and `[+column]`
for one of the joined table.
"""

from dataclasses import dataclass
from typing import Final

# How rows are cut in time: as they are, by calendar day, week or month, over the last `span` days
# or hours, or from the start.
HORIZONS: Final = ("row", "day", "week", "month", "rolling", "hours", "so_far")
WINDOWED: Final = ("rolling", "hours", "so_far")


@dataclass(frozen=True, slots=True)
class Condition:
    """`left op right`; `op` is one of > >= < <= = in between is."""

    left: str
    op: str
    right: tuple[str, ...]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate `kind` of the row expression `of`, or the share of rows for which `when` holds.

    `commuted` and `rearranged` are other spellings of `of` with the same value. `said` are two ways
    to say in words what it is.
    """

    name: str
    kind: str
    said: tuple[str, str]
    unit: str
    of: str = ""
    when: Condition | None = None
    commuted: str = ""
    rearranged: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of a table at the times when each became known. `renamed` maps a key to its column."""

    name: str
    table: str
    time: str
    entities: tuple[tuple[str, ...], ...]
    conditions: tuple[Condition, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def column_of(self, key: str) -> str:
        """The column that holds a join key."""
        return dict(self.renamed).get(key, key)


@dataclass(frozen=True, slots=True)
class Join:
    """A table joined by one column of the same name on both sides, and what is asked of it."""

    table: str
    on: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One feature: a measure over `span` days (or hours); 0 where the horizon has no span."""

    measure: Measure
    span: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A query of several features of one entity."""

    entity: tuple[str, ...]
    stream: Stream
    horizon: str
    items: tuple[Item, ...]
    conditions: tuple[Condition, ...] = ()
    join: Join | None = None

    @property
    def frame(self) -> tuple[object, ...]:
        """All but the items."""
        return (self.entity, self.stream.name, self.horizon, self.conditions, self.join)


def item_name(view: View, item: Item) -> str:
    """A plain name, such as `mean_arr_delay_30d`."""
    suffix = {"rolling": f"{item.span}d", "hours": f"{item.span}h", "row": ""}
    tail = suffix.get(view.horizon, view.horizon)
    return f"{item.measure.name}_{tail}" if tail else item.measure.name


def described(view: View, item: Item, way: int = 0) -> str:
    """What the feature is, in words; `way` 0 or 1 chooses between two vocabularies."""
    entity = " and ".join(_ENTITY_WORDS[key][way] for key in view.entity)
    parts = [item.measure.said[way].capitalize(), ("of the", "for each")[way], entity]
    parts += [c.words for c in view.conditions if c.words]
    if view.join is not None:
        parts += [c.words for c in view.join.conditions if c.words]
    parts.append(_span_words(view, item, way))
    return " ".join(part for part in parts if part) + "."


def _span_words(view: View, item: Item, way: int) -> str:
    span = item.span
    if view.horizon == "rolling":
        return (f"over the last {span} days", f"in the {span} days before")[way]
    if view.horizon == "hours":
        return (f"over the last {span} hours", f"within {span} hours")[way]
    words = {
        "day": ("of the day before", "yesterday"),
        "week": ("of the week before", "in the last calendar week"),
        "month": ("of the month before", "in the last calendar month"),
        "so_far": ("since the start of the year", "so far"),
    }
    return words.get(view.horizon, ("", ""))[way]


_ENTITY_WORDS = {
    "carrier": ("carrier", "airline"),
    "origin": ("airport of departure", "origin"),
    "dest": ("destination", "airport of arrival"),
    "tailnum": ("plane", "aircraft"),
}
