"""Pushes: rows that a caller brings, into the online store. Newest wins, repeating does no harm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from featureserver.expiry import expire_seconds
from featureserver.instants import read_instant
from featureserver.keys import key_space
from featureserver.plan import known_view
from featureserver.ports import OnlineStore
from featureserver.rows import pack
from registry.core.published import Published, PublishedView
from registry.kernel.errors import Invalid, NotFound, Refused
from registry.ports import PublishedReader

Frame = Mapping[str, Sequence[Any]]
DESTINATIONS = ("online", "offline", "online_and_offline")


@dataclass(frozen=True, slots=True)
class PushReport:
    """Rows that came, and how many of them were newer than what was there."""

    rows: int
    written: int


class Pusher:
    """Writes frames (column to values) of a push source or of a view."""

    def __init__(
        self, published: PublishedReader, store: OnlineStore, retention_seconds: float = 0.0
    ) -> None:
        self._published = published
        self._store = store
        self._retention_seconds = retention_seconds

    def push(self, source: str, frame: Frame, *, to: str = "online") -> PushReport:
        """Write rows of the push source of that name to every view that reads it.

        The frame has the join keys, every feature, and the source's timestamp column (else
        `event_timestamp`; text without a zone is UTC). Raises `NotFound`, `Invalid` or `Refused`.
        """
        if to not in DESTINATIONS:
            raise Invalid(f"cannot push to {to!r}", f"known: {', '.join(DESTINATIONS)}")
        if to != "online":
            raise Refused(
                f"cannot push to {to!r}: the warehouse is not written by pushes",
                hint="push to online, and append to the batch source's table yourself",
            )
        views = fed_by(self._published(), source)
        reports = [self._write(view, frame) for view in views]
        return PushReport(reports[0].rows, sum(report.written for report in reports))

    def write(self, view: str, frame: Frame) -> PushReport:
        """Write rows of the view of that name (its newest line, or a key `view@2`)."""
        lines = known_view(self._published(), view)
        return self._write(max(lines, key=lambda line: line.line), frame)

    def _write(self, view: PublishedView, frame: Frame) -> PushReport:
        if not view.online:
            raise Refused(f"view {view.name!r} is not online", hint="declare online=True")
        keys, rows = pack_frame(view, frame)
        expiry = expire_seconds(view, self._retention_seconds)
        return PushReport(len(rows), self._store.write(keys, rows, expire_seconds=expiry))


def fed_by(state: Published, source: str) -> list[PublishedView]:
    """The online views that read a push source; raises `NotFound` with the nearest names."""
    pushed = [v for v in state.views.values() if v.source.kind == "push"]
    views = [view for view in pushed if view.source.name == source and view.online]
    if not views:
        raise NotFound("push source", source, {view.source.name for view in pushed})
    return views


def pack_frame(view: PublishedView, frame: Frame) -> tuple[list[bytes], list[bytes]]:
    """Keys and rows of a frame; raises `Invalid` naming the column and the row at fault."""
    columns = _renamed(view, frame)
    count = _length(columns)
    schema = view.row_schema
    needed = [*(key.name for key in view.join_keys), *(name for name, _ in schema.columns)]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise Invalid(
            f"a push to {view.name!r} lacks {', '.join(missing)}",
            f"found: {', '.join(columns)}",
        )
    events, created = _event_times(view, columns), _created_times(view, columns)
    keys = key_space(view).keys(columns)
    if None in keys:
        raise Invalid(f"row {keys.index(None)}: a join key of {view.name!r} is null")
    rows = []
    for i in range(count):
        values = {name: columns[name][i] for name, _ in schema.columns}
        rows.append(pack(schema, values, events[i], created[i] if created else None))
    return [key for key in keys if key is not None], rows


def _renamed(view: PublishedView, frame: Frame) -> dict[str, list[Any]]:
    mapping = dict(view.source.history.field_mapping) | dict(view.source.field_mapping)
    return {mapping.get(name, name): list(values) for name, values in frame.items()}


def _length(columns: Mapping[str, list[Any]]) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise Invalid("the columns of a push must be of one length", f"found {lengths}")
    return next(iter(lengths.values()))


def _event_times(view: PublishedView, columns: Mapping[str, list[Any]]) -> list[datetime]:
    names = (view.source.timestamp_field, view.source.history.timestamp_field, "event_timestamp")
    name = next((n for n in names if n and n in columns), None)
    if name is None:
        wanted = next(n for n in names if n)
        raise Invalid(f"a push to {view.name!r} lacks its event time, {wanted!r}")
    return [_instant(name, row, value) for row, value in enumerate(columns[name])]


def _created_times(view: PublishedView, columns: Mapping[str, list[Any]]) -> list[datetime | None]:
    names = (view.source.created_field, view.source.history.created_field, "created")
    name = next((n for n in names if n and n in columns), None)
    if name is None:
        return []
    return [
        None if value is None else _instant(name, row, value)
        for row, value in enumerate(columns[name])
    ]


def _instant(name: str, row: int, value: Any) -> datetime:
    instant = read_instant(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise Invalid(f"row {row}: {name!r} is {value!r}, not an instant", hint="write ISO 8601")
    return instant
