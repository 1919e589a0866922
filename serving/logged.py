"""One answered request as the log takes it from the hot path. Nothing is written here."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.signature import Signature
from serving.tensors import Array


class LogEntry(msgspec.Struct, frozen=True, eq=False):
    """One answered request of n rows: `values` float64 [n, width], `keys` and outputs by name.

    `events` are the event times of the looked-up features in the signature's order of references,
    in microseconds, n each, 0 where nothing was found; `sent` are the features that came with the
    request.
    """

    prediction_id: str
    at: datetime
    version: str
    signature: Signature
    model: str
    keys: Mapping[str, list[Any]]
    values: NDArray[np.float64]
    outputs: Mapping[str, Array]
    seconds: float
    oldest_age_seconds: float | None
    missing: int
    stale: int
    events: Sequence[Sequence[int]] = ()
    sent: Collection[str] = ()
