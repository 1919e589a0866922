"""What flows through a join: bounds, parts of a history, what was found in them. Data alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a scan may leave out: events after `latest` or before `earliest` (ticks), and, where the
    one integer key is its own code, keys outside `least` to `greatest`."""

    latest: int
    earliest: int | None = None
    least: int | None = None
    greatest: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Some history rows: key code, times in ticks, position. `created` None: it is the event's.

    `seen` is when each became visible; None when that is the event's time.
    """

    codes: Int64s
    event: Int64s
    position: Int64s
    created: Int64s | None = None
    seen: Int64s | None = None

    def chosen(self, rows: Int64s | Bools) -> "Part":
        """These of its rows, by place or by mark."""
        created = None if self.created is None else self.created[rows]
        seen = None if self.seen is None else self.seen[rows]
        return Part(self.codes[rows], self.event[rows], self.position[rows], created, seen)


def joined(parts: Sequence[Part]) -> Part:
    """The rows of some parts, one part after the other."""
    created = [part.created for part in parts if part.created is not None]
    seen = [part.seen for part in parts if part.seen is not None]
    return Part(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.event for part in parts]),
        np.concatenate([part.position for part in parts]),
        np.concatenate(created) if created else None,
        np.concatenate(seen) if seen else None,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The spine rows that can find anything: their place in the spine (of `rows` rows), the code
    of their key, less than `keys`, and their time in ticks. In no order."""

    rows: int
    at: Int64s
    codes: Int64s
    times: Int64s
    keys: int


@dataclass(frozen=True, slots=True)
class Found:
    """The history row of each row asked for, `position` -1 for none, with its times.

    `tied` marks those of which another history row has the key and the same times.
    """

    asked: Asked
    position: Int64s
    event: Int64s
    created: Int64s
    tied: Bools
