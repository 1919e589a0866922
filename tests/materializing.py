"""Builders for tests of materialization: a warehouse in memory, a registry, a materializer over
both, and a child process that materializes until it is killed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from featureserver import fill
from featureserver.asked import Ledger, Policy
from featureserver.materialize import Materializer
from featureserver.ports import OnlineStore
from featureserver.stores.memory import InMemoryOnlineStore
from registry.core.published import PublishedView
from registry.kernel.clock import FixedClock
from registry.testing import NOON, InMemoryRegistry, feature, published, view
from warehouse.testing import InMemoryEngine


def readings(name: str = "readings", **changes: Any) -> PublishedView:
    """A view of `id` with two features over table `readings`."""
    features = changes.pop("features", [feature("rate"), feature("name", "string")])
    return view("readings", features, {"id": "int64"}, **changes)


def rows(ids: Sequence[int], hours_ago: float = 1.0, rate: float = 0.0) -> pa.Table:
    """Rows of table `readings`, one an id; `rate` is added to each id to give its value."""
    at = NOON - timedelta(hours=hours_ago)
    return pa.table(
        {
            "id": pa.array(list(ids), pa.int64()),
            "rate": pa.array([i + rate for i in ids], pa.float64()),
            "name": pa.array([f"n{i}}}" for i in ids], pa.string()),
            "event_timestamp": pa.array([at] * len(ids), pa.timestamp("us", tz="UTC")),
        }
    )


@dataclass
class Bench:
    """One small world: state, warehouse, store, and the materializer that joins them."""

    view: PublishedView
    tables: dict[str, pa.Table]
    store: OnlineStore = field(default_factory=InMemoryOnlineStore)
    policy: Policy = field(default_factory=lambda: Policy(grace_seconds=0.0))
    home: Path | None = None
    quarantined: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = InMemoryRegistry(published(self.view))

    @property
    def live(self) -> PublishedView:
        """The view as readers see it now."""
        return self.registry.published().view(self.view.key)

    def materializer(self, store: OnlineStore | None = None) -> Materializer:
        ledger = Ledger(
            self.registry.published,
            self.registry.watermarks,
            self.registry.switch_generation,
            lambda ref, reason, actor: self.quarantined.append(ref),
        )
        return Materializer(
            ledger,
            InMemoryEngine(self.tables),
            store or self.store,
            FixedClock(NOON),
            self.policy,
            self.home,
            self.slept.append,
        )


class DyingStore(InMemoryOnlineStore):
    """Shares another store's content and dies before or after its nth write of rows."""

    def __init__(self, content: InMemoryOnlineStore, writes: int, after: bool) -> None:
        super().__init__()
        self._rows, self._notes = content._rows, content._notes
        self.left, self.after = writes, after
        self.chunks: list[bytes] = []

    def write(self, keys: Sequence[bytes], rows: Sequence[bytes], **how: Any) -> int:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Death
        self.chunks.append(keys[0])
        written = super().write(keys, rows, **how)
        if self.left < 0:
            raise Death
        return written


class Death(Exception):
    """What stands in for SIGKILL within one process."""


def materialize_until_killed(root: str, url: str, log: str, chunk: int) -> None:
    """The child: materializes view `readings` from Parquet under `root`, noting each chunk written
    as a line of `log`. Leaves with status 0 when it ends by itself."""
    from featureserver.bootstrap import open_materializer
    from featureserver.stores.redis import RedisOnlineStore, connect
    from registry.kernel.settings import Settings

    class Logged(RedisOnlineStore):
        def write(self, keys: Any, rows: Any, **how: Any) -> int:
            with Path(log).open("a") as opened:
                opened.write(f"{os.getpid()} {keys[0].hex()}\n")
            return super().write(keys, rows, **how)

    fill.ROWS_PER_WRITE = chunk
    settings = Settings(Path(root), None, {"clock": {"instant": "2013-10-01T12:00:00Z"}}, {})
    registry = InMemoryRegistry(published(readings()))
    open_materializer(settings, registry, client=Logged(connect(url, 5.0))).run(actor="ada")
