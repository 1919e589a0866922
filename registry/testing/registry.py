"""The in-memory twin of the SQL registry."""

from collections.abc import Mapping
from dataclasses import replace

from registry.core.published import Published
from registry.kernel.clock import Clock, FixedClock
from registry.kernel.errors import Forbidden, Unauthorized
from registry.ports import Principal
from registry.testing.books import (
    InMemoryDatasets,
    InMemoryModels,
    InMemoryUsage,
    InMemoryWatermarks,
)
from registry.testing.builders import NOON


class InMemoryRegistry:
    """The twin of the SQL registry that other rooms' tests use. `state` can be set at will.

    `tokens` maps a token to its principal.
    """

    def __init__(
        self,
        state: Published | None = None,
        tokens: Mapping[str, Principal] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.state = state if state is not None else Published(0, NOON, "test")
        self.tokens = dict(tokens or {})
        self.clock = clock or FixedClock(NOON)
        self.watermarks = InMemoryWatermarks()
        self.datasets = InMemoryDatasets()
        self.usage = InMemoryUsage()
        self.models = InMemoryModels(lambda: self.clock())

    def published(self) -> Published:
        return self.state

    def authority(self, token: str | None, *roles: str) -> Principal:
        if token is None or token not in self.tokens:
            raise Unauthorized("this needs a token", hint="set FIELDHOUSE_AUTH_TOKEN")
        principal = self.tokens[token]
        if roles and not principal.roles & set(roles):
            raise Forbidden(
                f"{principal.subject} may not do this", f"it needs a role of {', '.join(roles)}"
            )
        return principal

    def switch_generation(self, view_key: str, generation: int, actor: str) -> Published:
        switched = self.state.view(view_key).at(generation)
        views = {**self.state.views, view_key: switched}
        self.state = replace(self.state, number=self.state.number + 1, views=views)
        return self.state
