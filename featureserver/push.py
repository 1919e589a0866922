"""Pushes: rows that a caller brings, into the online store, the warehouse, or both.

Newest wins and repeating does no harm, online and offline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from featureserver.expiry import expire_seconds
from featureserver.named import known_view
from featureserver.ports import OnlineStore
from featureserver.push_frame import Frame, history_rows, pack_frame
from registry.core.definitions import Source
from registry.core.published import Published, PublishedView
from registry.kernel.clock import Clock, system_clock
from registry.kernel.errors import Invalid, NotFound, Refused
from registry.ports import PublishedReader

if TYPE_CHECKING:
    import pyarrow as pa

DESTINATIONS = ("online", "offline", "online_and_offline")


class Appender(Protocol):
    """The part of a warehouse engine that pushes need."""

    def append(self, source: Source, rows: "pa.Table", name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class PushReport:
    """Rows that came, how many of them were newer than what was online, and how many were added to
    the warehouse (none when the same push had come before)."""

    rows: int
    written: int
    added: int = 0


class Pusher:
    """Writes frames (column to values) of a push source or of a view.

    `warehouse` opens the engine when rows are first pushed offline.
    """

    def __init__(
        self,
        published: PublishedReader,
        store: OnlineStore,
        retention_seconds: float = 0.0,
        warehouse: Callable[[], Appender] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._published = published
        self._store = store
        self._retention_seconds = retention_seconds
        self._open_warehouse = warehouse
        self._warehouse: Appender | None = None
        self._clock = clock

    def push(self, source: str, frame: Frame, *, to: str = "online") -> PushReport:
        """Write rows of the push source of that name: online to every view that reads it, offline
        to the table of its batch source, once.

        The frame has the join keys, every feature, and the source's timestamp column (else
        `event_timestamp`; text without a zone is UTC). Raises `NotFound`, `Invalid` or `Refused`,
        and then nothing was written.
        """
        if to not in DESTINATIONS:
            raise Invalid(f"cannot push to {to!r}", f"known: {', '.join(DESTINATIONS)}")
        views = fed_by(self._published(), source)
        packed = [(view, *pack_frame(view, frame)) for view in views]
        added = self._append(views, frame) if to != "online" else 0
        written = 0
        if to != "offline":
            written = sum(self._write(view, keys, rows) for view, keys, rows in packed)
        return PushReport(len(packed[0][2]), written, added)

    def write(self, view: str, frame: Frame) -> PushReport:
        """Write rows of the view of that name (its newest line, or a key `view@2`)."""
        lines = known_view(self._published(), view)
        line = max(lines, key=lambda found: found.line)
        if not line.online:
            raise Refused(f"view {line.name!r} is not online", hint="declare online=True")
        keys, rows = pack_frame(line, frame)
        return PushReport(len(rows), self._write(line, keys, rows))

    def _write(self, view: PublishedView, keys: list[bytes], rows: list[bytes]) -> int:
        expiry = expire_seconds(view, self._retention_seconds)
        return self._store.write(keys, rows, expire_seconds=expiry)

    def _append(self, views: list[PublishedView], frame: Frame) -> int:
        batch, rows, name = history_rows(views, frame, self._clock())
        if self._warehouse is None:
            if self._open_warehouse is None:
                raise Refused("this server has no warehouse to push to", hint="push to online")
            self._warehouse = self._open_warehouse()
        return rows.num_rows if self._warehouse.append(batch, rows, name) else 0


def fed_by(state: Published, source: str) -> list[PublishedView]:
    """The online views that read a push source; raises `NotFound` with the nearest names."""
    pushed = [v for v in state.views.values() if v.source.kind == "push"]
    views = [view for view in pushed if view.source.name == source and view.online]
    if not views:
        raise NotFound("push source", source, {view.source.name for view in pushed})
    return views
