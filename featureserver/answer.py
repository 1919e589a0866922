"""From raw rows to answered columns: statuses, ttl, staleness policies. Pure; time is passed in.

A status tells of the stored value. What is answered in its place follows the feature's policy.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from featureserver.decoders import CORRUPT, MISSING, Decoded
from featureserver.instants import instant_of
from featureserver.plan import PlannedFeature, PlannedView
from featureserver.values import convert, from_wire
from registry.kernel.errors import Refused

PRESENT = "PRESENT"
NULL_VALUE = "NULL_VALUE"
NOT_FOUND = "NOT_FOUND"
OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"
INVALID = "INVALID"


class Column(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One feature's answers, a row each, in the order of the request.

    `wire` are wire values (`featureserver.values`); `marks` are statuses, or None when all are
    PRESENT; `events` are event times in microseconds, 0 where no row was found.
    """

    feature: PlannedFeature
    wire: Sequence[Any]
    marks: list[str] | None
    events: Sequence[int]

    @property
    def name(self) -> str:
        """The feature's name in the answer."""
        return self.feature.label

    @property
    def dtype(self) -> str:
        return self.feature.dtype

    @property
    def values(self) -> list[Any]:
        """Python values: aware datetimes, Decimal, dicts, lists; None where there is none."""
        return list(convert(self.wire, from_wire(self.dtype)))

    @property
    def statuses(self) -> list[str]:
        """PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE or INVALID (unreadable, quarantined)."""
        return [PRESENT] * len(self.wire) if self.marks is None else self.marks

    @property
    def event_times(self) -> list[datetime | None]:
        """Event times, aware UTC; None where no row was found."""
        return [instant_of(event) if event else None for event in self.events]


class Block(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The answers of features whose values come from the same rows: those of one view.

    `wire` and `marks` are a `Column`'s, one per feature; `marks` None means that all are PRESENT.
    `numbers` means that every value is a float, none of them None.
    """

    features: Sequence[PlannedFeature]
    wire: Sequence[Sequence[Any]]
    marks: Sequence[list[str] | None] | None
    events: Sequence[int]
    numbers: bool = False

    def columns(self) -> list[Column]:
        """The same, a column each."""
        marks = [None] * len(self.features) if self.marks is None else self.marks
        return [
            Column(feature, values, statuses, self.events)
            for feature, values, statuses in zip(self.features, self.wire, marks, strict=True)
        ]


def block_of(column: Column) -> Block:
    """A column alone."""
    return Block((column.feature,), (column.wire,), (column.marks,), column.events)


def settle(view: PlannedView, decoded: Decoded, now_micros: int) -> Block:
    """The answers of one view's features. Raises `Refused` for stale values under "refuse"."""
    marks = row_marks(decoded, view.ttl_micros, now_micros)
    events = decoded.events
    if marks is None and not decoded.nulls and not view.quarantined:
        return Block(view.features, decoded.columns, None, events, view.floats)
    stale = [] if marks is None else [i for i, m in enumerate(marks) if m == OUTSIDE_MAX_AGE]
    settled = [
        _settled(feature, values, marks, stale, decoded.nulls.get(index))
        for index, (feature, values) in enumerate(zip(view.features, decoded.columns, strict=True))
    ]
    return Block(view.features, [v for v, _ in settled], [m for _, m in settled], events)


def settle_as_feast(view: PlannedView, decoded: Decoded) -> Block:
    """The answers as Feast's own server has them: what is stored whatever its age, null where
    nothing is, and always PRESENT. Quarantine is obeyed all the same."""
    pairs = zip(view.features, decoded.columns, strict=True)
    wire = [_settled(feature, values, None, [], None)[0] for feature, values in pairs]
    return Block(view.features, wire, None, decoded.events)


def stand_ins(view: PlannedView, count: int) -> Block | None:
    """Defaults in place of rows that cannot be read now; None unless every feature allows that by
    policy "default"."""
    features = view.features
    if any(f.staleness != "default" or f.default is None for f in features):
        return None
    marks = [[INVALID] * count] * len(features)
    return Block(features, [[f.default] * count for f in features], marks, [0] * count)


def row_marks(decoded: Decoded, ttl_micros: int | None, now_micros: int) -> list[str] | None:
    """A status per row, NULL_VALUE left aside; None when all are PRESENT.

    A row is outside its max age when it is older than the ttl; exactly as old is still inside, as
    in the offline join.
    """
    oldest = None if ttl_micros is None else now_micros - ttl_micros
    if decoded.marks is None:
        if oldest is None or not decoded.events or min(decoded.events) >= oldest:
            return None
        return [PRESENT if event >= oldest else OUTSIDE_MAX_AGE for event in decoded.events]
    return [
        _row_mark(mark, event, oldest)
        for mark, event in zip(decoded.marks, decoded.events, strict=True)
    ]


def _row_mark(mark: int, event: int, oldest: int | None) -> str:
    if mark == MISSING:
        return NOT_FOUND
    if mark == CORRUPT:
        return INVALID
    return PRESENT if oldest is None or event >= oldest else OUTSIDE_MAX_AGE


def _settled(
    feature: PlannedFeature,
    values: Sequence[Any],
    marks: list[str] | None,
    stale: list[int],
    nulls: list[int] | None,
) -> tuple[Sequence[Any], list[str] | None]:
    """Work here grows with the rows that are stale or null; the others are shared as they are."""
    if feature.quarantined and feature.staleness != "last":
        return _quarantined(feature, values, marks)
    if nulls:
        marks = [PRESENT] * len(values) if marks is None else marks.copy()
        for row in nulls:
            if marks[row] == PRESENT:
                marks[row] = NULL_VALUE
    if stale and feature.staleness != "last":
        stand_in = stale_value(feature)
        values = list(values)
        for row in stale:
            values[row] = stand_in
    return values, marks


def stale_value(feature: PlannedFeature) -> Any:
    """What is answered for a value past its ttl, policy "last" aside. Raises `Refused`."""
    if feature.staleness == "refuse":
        raise Refused(
            f"feature {feature.ref} has a value past its ttl",
            "its policy is to refuse stale values",
            "materialize or push newer values",
        )
    return feature.default if feature.staleness == "default" else None


def _quarantined(
    feature: PlannedFeature, values: Sequence[Any], marks: list[str] | None
) -> tuple[list[Any], list[str]]:
    stand_in = feature.default if feature.staleness == "default" else None
    rows = marks if marks is not None else [PRESENT] * len(values)
    statuses = [NOT_FOUND if mark == NOT_FOUND else INVALID for mark in rows]
    return [None if mark == NOT_FOUND else stand_in for mark in statuses], statuses
