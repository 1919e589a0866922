"""What the model room asks of the outside: features of entities, as numbers."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class FeatureMatrix(Protocol):
    """Features of n entities: `values` is float64 [n, k], NaN where nothing is present."""

    @property
    def values(self) -> NDArray[np.float64]: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def oldest_age_seconds(self) -> float | None: ...

    @property
    def missing(self) -> int: ...

    @property
    def stale(self) -> int: ...

    @property
    def events(self) -> Sequence[Sequence[int]]:
        """Event times in microseconds, n per feature, 0 where nothing was found."""
        ...


class FeatureLookup(Protocol):
    """The part of `featureserver.lookup.Lookup` that prediction needs."""

    def plan(self, features: str | Sequence[str], /, *, full_feature_names: bool = False) -> Any:
        """Compile references `view:feature@version`, or return the plan compiled before.

        With full names, features of two views may have one name.

        Raises `Gone` or `NotFound` for a feature that can no longer be served.
        """
        ...

    def matrix(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> FeatureMatrix:
        """One row per entity, columns in the plan's order; counted as the caller's use.

        Raises `Unavailable`, `Invalid`."""
        ...

    def matrix_async(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> Coroutine[Any, Any, FeatureMatrix]:
        """`matrix` for an event loop, on which nothing waits meanwhile."""
        ...

    def refresh(self) -> None:
        """Ask for the published state now; from then on no request does."""
        ...

    async def close_async(self) -> None:
        """Let go of what belongs to the event loop at hand."""
        ...
