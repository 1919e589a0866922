"""What flows through a join: bounds, parts of a history, what was found in them. Data alone."""

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
