"""What a changed meaning does to values, as data: what is compared, and what was found. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from registry.core.definitions import Scalar
from registry.core.published import PublishedOnDemand, PublishedView

BARS = "▁▂▃▄▅▆▇█"
OPEN = ("public", "internal")
"""The sensitivities of features whose values a comment shows and unreviewed code is given."""


@dataclass(frozen=True, slots=True)
class ValuePair:
    """One key at one time, with both values as text; "null" where there is none."""

    key: str
    at: datetime
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ValueDiff:
    """One feature (`view:feature`) before and after, over `rows` keys and times.

    `shift` is from 0 (the same distribution) to 1 (nothing in common): the largest distance of the
    two cumulated shares for numbers, the total variation for others. `buckets` are (label, count
    before, count after). `examples` come with the greatest changes first.
    """

    feature: str
    rows: int
    changed: int
    old_nulls: int
    new_nulls: int
    shift: float
    buckets: tuple[tuple[str, int, int], ...] = ()
    examples: tuple[ValuePair, ...] = ()

    @property
    def share_changed(self) -> float:
        return self.changed / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class ChangedView:
    """A stored view before and after, and its features that mean something else. Both have the
    same join keys."""

    old: PublishedView
    new: PublishedView
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedComputed:
    """An on-demand view before and after, its features that mean something else, and the views
    that hold what either reads, by `view:feature` as the view spells it."""

    old: PublishedOnDemand
    new: PublishedOnDemand
    features: tuple[str, ...]
    old_inputs: Mapping[str, PublishedView]
    new_inputs: Mapping[str, PublishedView]


@dataclass(frozen=True, slots=True)
class SampledColumn:
    """One input of a function on a sample: `values` of a feature type, as JSON can carry them
    (instants and numbers that are not finite as text)."""

    name: str
    dtype: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class ComputedSample:
    """What the old and the new code of an on-demand view are to be run on: as many rows in every
    column as there are `keys`, each at one instant. `made_up` are the request fields, whose values
    nobody stores."""

    old: PublishedOnDemand
    new: PublishedOnDemand
    features: tuple[str, ...]
    keys: tuple[str, ...]
    at: tuple[datetime, ...]
    before: tuple[SampledColumn, ...]
    after: tuple[SampledColumn, ...]
    made_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComputedValues:
    """What both codes gave for a sample, by feature; `failed` says why there is nothing."""

    view: str
    before: Mapping[str, tuple[Scalar, ...]]
    after: Mapping[str, tuple[Scalar, ...]]
    failed: str = ""


@dataclass(frozen=True, slots=True)
class ValuesSeen:
    """What was found of values within the time given, and a note for all that was not looked at."""

    diffs: tuple[ValueDiff, ...] = ()
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def bars(counts: tuple[int, ...]) -> str:
    """A histogram in one line of text; an empty bucket is a space."""
    most = max(counts, default=0)
    return "".join(BARS[(len(BARS) - 1) * n // most] if n else " " for n in counts)
