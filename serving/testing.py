"""A feature lookup in memory, for tests of the model room: values by key, no Redis."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid, Unavailable

EVENT = 1_380_628_740_000_000  # 2013-10-01T11:59:00Z


@dataclass(frozen=True, slots=True)
class FakeMatrix:
    """What `FakeLookup` answers; float64 [n, k]."""

    values: NDArray[np.float64]
    names: Sequence[str]
    oldest_age_seconds: float | None
    missing: int
    stale: int
    events: Sequence[Sequence[int]] = ()


class FakeLookup:
    """Features of one key. `table` maps a key's value to its features by reference.

    `down` makes it behave like a store that does not answer; `calls` counts lookups.
    """

    def __init__(self, key: str, table: Mapping[Any, Mapping[str, float]]) -> None:
        self.key = key
        self.table = table
        self.down = False
        self.calls = 0
        self.age_seconds = 60.0
        self.slow_seconds = 0.0
        self.refreshed = 0

    def plan(self, features: str | Sequence[str], /, *, full_feature_names: bool = False) -> Any:
        return tuple(features)

    def matrix(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> FakeMatrix:
        """Raises `Unavailable` when down, `Invalid` when the entities are not the key alone."""
        self.calls += 1
        if self.down:
            raise Unavailable("the online store does not answer")
        if set(entities) != {self.key}:
            raise Invalid(f"entities are {sorted(entities)}", f"needed: {self.key}")
        known = [self.table.get(value, {}) for value in entities[self.key]]
        values = np.array([[row.get(ref, np.nan) for ref in plan] for row in known], np.float64)
        values = values.reshape(len(known), len(plan))
        age = self.age_seconds if any(known) else None
        events = [EVENT if row else 0 for row in known]
        return FakeMatrix(values, plan, age, int(np.isnan(values).sum()), 0, [events] * len(plan))

    async def matrix_async(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> FakeMatrix:
        """Waits `slow_seconds` without holding the loop, then answers as `matrix`."""
        await asyncio.sleep(self.slow_seconds)
        return self.matrix(plan, entities, caller)

    def refresh(self) -> None:
        self.refreshed += 1

    async def close_async(self) -> None:
        """Nothing here belongs to a loop."""
