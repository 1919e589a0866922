"""The published state that lookups obey, and the plans compiled from it.

The registry is asked at a stated interval, never per request. When it does not answer, the last
state serves, up to a declared age.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from featureserver.compile_plan import compile_plan
from featureserver.plan import Plan, TransformCompiler
from registry.core.published import Published
from registry.kernel.errors import FieldhouseError, Unavailable
from registry.ports import PublishedReader

logger = logging.getLogger(__name__)
PLANS_KEPT = 512

_Key = tuple[str | tuple[str, ...], bool]


class PlanBook:
    """Plans by what was asked for. Safe to use from several threads.

    `refresh_seconds` is how old a state may be before the registry is asked again,
    `max_age_seconds` how long one may serve when it does not answer. `polled` true means that
    somebody calls `refresh` in the background, so that no lookup ever waits for the registry.
    `silent` says that the registry did not answer when it was last asked.
    """

    def __init__(
        self,
        reader: PublishedReader,
        compile_transform: TransformCompiler,
        refresh_seconds: float = 2.0,
        max_age_seconds: float = 86400.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._compile_transform = compile_transform
        self.refresh_seconds = refresh_seconds
        self._max_age_seconds = max_age_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._plans: OrderedDict[_Key, Plan] = OrderedDict()
        self._state: Published | None = None
        self.polled = False
        self._asked_at = 0.0
        self._confirmed_at = 0.0
        self.silent = False

    def plan(self, request: str | Sequence[str], full_feature_names: bool = False) -> Plan:
        """The plan for a feature service (str) or references, of the state in force.

        Raises what `compile_plan` raises, and `Unavailable` when there is no state to go by.
        """
        asked = request if isinstance(request, str) else tuple(request)
        key = (asked, full_feature_names)
        state = self.state()
        plan = self._plans.get(key)
        if plan is not None and plan.number == state.number:
            return plan
        plan = compile_plan(state, asked, full_feature_names, self._compile_transform)
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > PLANS_KEPT:
                self._plans.popitem(last=False)
        return plan

    def state(self) -> Published:
        """The published state in force, asked for anew when it is due."""
        now = self._monotonic()
        due = not self.polled and now - self._asked_at >= self.refresh_seconds
        if self._state is None or due:
            self.refresh()
        assert self._state is not None
        if now - self._confirmed_at > self._max_age_seconds:
            raise Unavailable(
                "the published state is too old to serve by",
                f"the registry has not answered for {now - self._confirmed_at:.0f} seconds",
                "see why the registry does not answer, or raise online.max_state_age_seconds",
            )
        return self._state

    def refresh(self) -> None:
        """Ask the registry now. Keeps the last state when it does not answer.

        Raises what the registry raised when there is no last state either.
        """
        now = self._monotonic()
        self._asked_at = now
        try:
            self._state = self._reader()
            self._confirmed_at = now
        except FieldhouseError as error:
            if self._state is None:
                raise
            if not self.silent:
                logger.warning(
                    f"the registry does not answer; state {self._state.number} serves on: {error}",
                    extra={"action": "published:stale", "age_seconds": now - self._confirmed_at},
                )
            self.silent = True
        else:
            if self.silent:
                logger.info("the registry answers again", extra={"action": "published:fresh"})
            self.silent = False

    @property
    def age_seconds(self) -> float:
        """How long ago the registry last confirmed the state."""
        return self._monotonic() - self._confirmed_at
