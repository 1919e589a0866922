"""Who uses which feature, in aggregate: counted in memory, written to the registry now and then.

Nothing of a request is kept but its service, its caller's name and its number of rows.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from featureserver.plan import Plan
from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError
from registry.ports import UsageBook, UsageRecord

logger = logging.getLogger(__name__)
MOST_CALLERS = 1000
OTHERS = "(others)"
UNNAMED = "(unnamed)"


class Usage:
    """Counts lookups by plan and caller. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[Plan, str], list[int]] = {}
        self._callers: set[str] = set()

    def note(self, plan: Plan, caller: str, rows: int) -> None:
        """One lookup. Callers beyond `MOST_CALLERS` are counted together."""
        counts = self._counts.get((plan, caller))
        if counts is None:
            counts = self._new(plan, caller)
        counts[0] += 1
        counts[1] += rows

    def _new(self, plan: Plan, caller: str) -> list[int]:
        with self._lock:
            if caller not in self._callers and len(self._callers) >= MOST_CALLERS:
                caller = OTHERS
            self._callers.add(caller)
            return self._counts.setdefault((plan, caller), [0, 0])

    def drain(self, at: datetime) -> list[UsageRecord]:
        """What was counted since the last time, a record per feature, service and caller."""
        with self._lock:
            counts, self._counts, self._callers = self._counts, {}, set()
        found: dict[tuple[str, str, str], list[int]] = {}
        for (plan, caller), (requests, rows) in counts.items():
            for ref in plan.used:
                one = found.setdefault((ref, plan.label, caller), [0, 0])
                one[0] += requests
                one[1] += rows
        return [
            UsageRecord(ref, service, caller, requests, rows, at)
            for (ref, service, caller), (requests, rows) in found.items()
        ]


class UsageFlush:
    """Carries counts to the registry's book; what could not be written is kept for later."""

    def __init__(self, usage: Usage, book: UsageBook) -> None:
        self._usage = usage
        self._book = book
        self._left: list[UsageRecord] = []

    @contextmanager
    def every(self, seconds: float, clock: Clock) -> Iterator[None]:
        """Write now and then on a thread of its own, and at the end."""
        ended = threading.Event()

        def repeat() -> None:
            while not ended.wait(seconds):
                self.run(clock())

        thread = threading.Thread(target=repeat, name="fieldhouse-usage", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.run(clock())

    def run(self, at: datetime) -> None:
        """Write what there is; never raises, since nobody's lookup may fail for it."""
        records = merged([*self._left, *self._usage.drain(at)])
        if not records:
            return
        try:
            self._book.add(records)
            self._left = []
        except FieldhouseError as error:
            self._left = records
            logger.warning(f"usage is kept for later: {error}", extra={"action": "usage:kept"})


def merged(records: Sequence[UsageRecord]) -> list[UsageRecord]:
    """One record per feature, service and caller."""
    found: dict[tuple[str, str, str], UsageRecord] = {}
    for one in records:
        key = (one.ref, one.service, one.caller)
        known = found.get(key)
        found[key] = one if known is None else known.plus(one)
    return list(found.values())
