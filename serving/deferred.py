"""A lookup that is opened when the first model needs one, so that servers start without it."""

import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from registry.kernel.errors import FieldhouseError
from serving.loaded import LoadedModel
from serving.ports import FeatureLookup, FeatureMatrix


class DeferredLookup:
    """A lookup that is opened when the first model needs one, before that model is offered."""

    def __init__(self, open_lookup: Callable[[], FeatureLookup]) -> None:
        self._open = open_lookup
        self._opened: FeatureLookup | None = None

    def warm(self, models: Sequence[LoadedModel]) -> None:
        """Compile the plans of these models. One that cannot be compiled now is tried again, and
        answered with its error, when a prediction needs it."""
        for model in models:
            if model.refs:
                with contextlib.suppress(FieldhouseError):
                    self.plan(model.refs, full_feature_names=True)

    def plan(self, features: str | Sequence[str], /, *, full_feature_names: bool = False) -> Any:
        lookup = self._opened or self._now()
        return lookup.plan(features, full_feature_names=full_feature_names)

    def matrix(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> FeatureMatrix:
        return (self._opened or self._now()).matrix(plan, entities, caller)

    def matrix_async(
        self, plan: Any, entities: Mapping[str, Sequence[Any]], caller: str, /
    ) -> Coroutine[Any, Any, FeatureMatrix]:
        return (self._opened or self._now()).matrix_async(plan, entities, caller)

    def refresh(self) -> None:
        """Ask for the published state in the background, once there is a lookup."""
        if self._opened is not None:
            self._opened.refresh()

    async def close_async(self) -> None:
        if self._opened is not None:
            await self._opened.close_async()

    def _now(self) -> FeatureLookup:
        self._opened = self._open()
        return self._opened
