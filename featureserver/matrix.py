"""Features as a model takes them: one array of numbers, and sums about it. Pure.

`to_matrix` makes it of any answer. `OneRow` is the short way for one sound row of entities,
which is what an application asks for most; where it finds anything else it gives way to the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from featureserver.answer import OUTSIDE_MAX_AGE, Column
from featureserver.instants import EARLIEST, LATEST, micros_of
from featureserver.keys import escape
from featureserver.plan import Plan, PlannedFeature
from featureserver.rows_together import RowsTogether
from registry.kernel.errors import Invalid, Refused
from registry.kernel.types import NUMERIC

FOREVER = LATEST - EARLIEST
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`values` is float64 [n, k], NaN where there is no value; `names` are the k features.

    `oldest_age_seconds` is the age of the oldest row found, None when none was; `missing` and
    `stale` count values with no value and values past their ttl. `events` are event times in
    microseconds, a sequence of n per feature, 0 where no row was found.
    """

    values: Floats
    names: tuple[str, ...]
    oldest_age_seconds: float | None
    missing: int
    stale: int
    events: tuple[Sequence[int], ...] = ()


def to_matrix(plan: Plan, columns: Sequence[Column], count: int, now: datetime) -> Matrix:
    """The numbers of `count` rows answered at `now`. Raises `Refused` when a feature is text."""
    check_numbers([column.feature for column in columns])
    values = np.empty((count, len(columns)), np.float64)
    for index, column in enumerate(columns):
        values[:, index] = column.wire  # None becomes NaN
    marks = [column.marks for column in columns if column.marks is not None]
    events = [event for c in columns for event in c.events if event]
    return Matrix(
        values=values,
        names=plan.names,
        oldest_age_seconds=(micros_of(now) - min(events)) / 1e6 if events else None,
        missing=sum(column.wire.count(None) for column in columns),
        stale=sum(column.count(OUTSIDE_MAX_AGE) for column in marks),
        events=tuple(column.events for column in columns),
    )


def check_numbers(features: Sequence[PlannedFeature]) -> None:
    """Raises `Refused` when one of them is not a number."""
    text = next((feature for feature in features if feature.dtype not in NUMERIC), None)
    if text is not None:
        raise Refused(
            f"feature {text.label!r} is of type {text.dtype}, not a number",
            hint="leave it out, or encode it as a number in the feature itself",
        )


class OneRow:
    """One row of entities by one plan: its keys, and what the store gave for them as a matrix."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = plan.names
        self._entities = plan.entity_names.keys()
        self._groups = [(s.names, s.encoders, suffixes) for s, suffixes in plan.key_groups]
        self._views = [
            (v.decoder.one, FOREVER if v.ttl_micros is None else v.ttl_micros, len(v.features))
            for v in plan.views
        ]
        self._plain = not plan.transforms and not any(view.quarantined for view in plan.views)
        self._plain &= all(column.dtype in NUMERIC for column in plan.columns)
        views = [view for view, (_, _, width) in enumerate(self._views) for _ in range(width)]
        self._holders = plan.pick(views) if self._plain else ()
        order = plan.pick(range(len(views))) if self._plain else ()
        self._together = RowsTogether([view.decoder for view in plan.views], order)
        self._youngest_limit = min((oldest for _, oldest, _ in self._views), default=FOREVER)

    def keys(self, entities: Mapping[str, Sequence[Any]]) -> list[bytes] | None:
        """The keys of one row in the order of the plan's views; None when these entities or this
        plan want the long way."""
        if not self._plain or entities.keys() != self._entities:
            return None
        keys: list[bytes] = []
        try:
            for names, encoders, suffixes in self._groups:
                parts = b""
                for name, encode in zip(names, encoders, strict=True):
                    values = entities[name]
                    if type(values) is not list or len(values) != 1:
                        return None
                    parts += encode(values[0])
                entity = b"{" + escape(parts)
                keys += [entity + suffix for suffix in suffixes]
        except Invalid:
            return None  # the long way knows about nulls, and says what is wrong
        return keys

    def matrix(self, found: Sequence[bytes | None], now: datetime) -> Matrix | None:
        """What `to_matrix` makes of these rows, one a view; None when one of them is stale or
        unreadable, which takes the features' policies."""
        now_micros = micros_of(now)
        whole = None if None in found else self._together.read(found)  # type: ignore[arg-type]
        if whole is not None and (oldest := min(whole[0])) >= now_micros - self._youngest_limit:
            singles = [(event,) for event in whole[0]]
            return Matrix(
                np.array([whole[1]], np.float64),
                self._names,
                (now_micros - oldest) / 1e6,
                0,
                0,
                tuple([singles[view] for view in self._holders]),
            )
        return self._one_by_one(found, now_micros)

    def _one_by_one(self, found: Sequence[bytes | None], now_micros: int) -> Matrix | None:
        row: list[Any] = []
        events: list[tuple[int]] = []
        for (decode, oldest, width), raw in zip(self._views, found, strict=True):
            if raw is None:
                row += (None,) * width
                events += ((0,),) * width
                continue
            read = decode(raw)
            if read is None or read[0] < now_micros - oldest:
                return None
            event, values, _ = read
            row += values
            events += ((event,),) * width
        picked, times = self._plan.pick(row), self._plan.pick(events)
        known = [event for (event,) in set(times) if event]
        return Matrix(
            np.array([picked], np.float64),  # None becomes NaN
            self._names,
            (now_micros - min(known)) / 1e6 if known else None,
            picked.count(None),
            0,
            times,
        )


@lru_cache(maxsize=512)
def one_row_of(plan: Plan) -> OneRow:
    """The short way of a plan, made when first asked for."""
    return OneRow(plan)
