"""What a changed meaning does to values, as data: two columns of one sample compared. Pure."""

from dataclasses import dataclass
from datetime import datetime

BARS = "▁▂▃▄▅▆▇█"


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


def bars(counts: tuple[int, ...]) -> str:
    """A histogram in one line of text; an empty bucket is a space."""
    most = max(counts, default=0)
    return "".join(BARS[(len(BARS) - 1) * n // most] if n else " " for n in counts)
