"""An event loop that stays awake for a moment after an answer, since the next request is near.

A client that asks again as soon as it has its answer finds the loop looking, not asleep. Where
nobody asks that soon, the loop rests from it (`patience`). Other processes that want the processor
get it meanwhile.
"""

import asyncio
import os
import time

from featureserver.patience import Patience


class Wakeful:
    """Tells the loop at hand to look for `seconds` at most after each answer; 0: not at all."""

    def __init__(self, seconds: float) -> None:
        alone = len(os.sched_getaffinity(0)) < 2
        self._patience = Patience(0.0 if alone else seconds)
        self._until = 0.0
        self._looking = self._due = False

    def answered(self, loop: asyncio.AbstractEventLoop) -> None:
        """An answer has left: look for the next request."""
        patience = self._patience.now
        if not patience:
            return
        self._until = time.perf_counter() + patience
        self._looking = True
        if not self._due:
            self._due = True
            loop.call_soon(self._look, loop)

    def asked(self) -> None:
        """A request has come, whoever sent it: look no further."""
        if self._looking:
            self._looking = False
            self._patience.found()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """One turn of the loop without sleep; as long as there is one of these, it does not."""
        self._due = False
        if not self._looking:
            return
        if time.perf_counter() > self._until:
            self._looking = False
            self._patience.lost()
            return
        os.sched_yield()
        self._due = True
        loop.call_soon(self._look, loop)
