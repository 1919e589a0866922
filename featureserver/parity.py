"""Parity: what the lookup answers, beside what the warehouse says as of the same instant.

Compared type by type and exactly: no tolerance, NaN equals NaN, -0.0 differs from 0.0 by bits.
"""

import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from featureserver.answer import PRESENT, Column
from featureserver.lookup import Lookup
from featureserver.offline import Offline
from featureserver.plan import Transform
from featureserver.ports import OnlineStore
from featureserver.state import PlanBook
from featureserver.values import from_wire, to_wire
from registry.core.published import Published, PublishedFeature, PublishedOnDemand, PublishedView
from registry.kernel.clock import FixedClock
from registry.kernel.types import arrow_type

EXAMPLES_KEPT = 5
_TIME = "__parity_time"
_SERVABLE = ("production", "deprecated")

Keys = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs, with the entity that it is of."""

    feature: str
    entity: Mapping[str, Any]
    online: Any
    offline: Any
    status: str


@dataclass(frozen=True, slots=True)
class ViewParity:
    """One view: values compared, how many differ, how many were present, the first examples."""

    view: str
    compared: int
    differing: int
    present: int
    examples: tuple[Difference, ...]
    differing_features: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each feature that differs, with an example where one was kept."""
        first = {example.feature: example for example in reversed(self.examples)}
        return tuple(
            f"{name!r} differs from the warehouse"
            + (f", as of {dict(first[name].entity)}" if name in first else "")
            for name in self.differing_features
        )


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What a comparison found at one instant."""

    at: datetime
    views: tuple[ViewParity, ...]

    @property
    def compared(self) -> int:
        return sum(view.compared for view in self.views)

    @property
    def differing(self) -> int:
        return sum(view.differing for view in self.views)


def compare(
    lookup: Lookup,
    engine: Offline,
    views: Sequence[PublishedView],
    keys: Mapping[str, Keys],
    at: datetime,
) -> ParityReport:
    """Compare every servable feature of `views` for the sampled `keys` (view key to join keys).

    `at` is an instant until which the online store has been materialized.
    """
    return ParityReport(at, tuple(_view(lookup, engine, v, keys[v.key], at) for v in views))


def check_generation(
    engine: Offline,
    store: OnlineStore,
    view: PublishedView,
    at: datetime,
    count: int,
    seed: int = 0,
) -> ViewParity:
    """Compare a sample of the generation that `view` names, whether readers are there or not.

    `at` is the instant until which it was materialized. Of a quarantined feature the stored values
    are compared, not what its policy answers: that is how it is found to be mended.
    """
    view = replace(view, features=tuple(map(_as_stored, view.features)))
    state = Published(1, at, view.namespace, {view.key: view})
    plans = PlanBook(lambda: state, _no_transform)
    lookup = Lookup(plans, store, FixedClock(at))
    return _view(lookup, engine, view, sample_keys(engine, view, at, count, seed), at)


def _as_stored(feature: PublishedFeature) -> PublishedFeature:
    return replace(feature, state="production") if feature.state == "quarantined" else feature


def sample_keys(
    engine: Offline, view: PublishedView, at: datetime, count: int, seed: int = 0
) -> dict[str, list[Any]]:
    """Up to `count` entities of a view, drawn evenly from all that it has as of `at`."""
    view = replace(view, features=())
    draw, seen = random.Random(seed), 0
    names = [key.name for key in view.join_keys]
    kept: list[tuple[Any, ...]] = []
    with engine.latest(view, since=None, until=at) as batches:
        for batch in batches:
            columns = [batch.column(name).to_pylist() for name in names]
            for row in zip(*columns, strict=True):
                seen += 1
                if len(kept) < count:
                    kept.append(row)
                elif (place := draw.randrange(seen)) < count:
                    kept[place] = row
    whole = [row for row in kept if None not in row]
    return {name: [row[i] for row in whole] for i, name in enumerate(names)}


def _view(
    lookup: Lookup, engine: Offline, view: PublishedView, keys: Keys, at: datetime
) -> ViewParity:
    features = [f for f in view.features if f.state in _SERVABLE]
    count = len(next(iter(keys.values()), ()))
    if not features or not count:
        return ViewParity(view.key, 0, 0, 0, ())
    refs = [f"{view.name}:{f.name}@{f.version}" for f in features]
    online = lookup.get(refs, keys, at=at)
    offline = engine.as_of(_spine(view, keys, at), _TIME, view, [f.name for f in features])
    found: list[Difference] = []
    present = 0
    for feature, column in zip(features, online.columns, strict=True):
        present += column.statuses.count(PRESENT)
        theirs = offline.column(feature.name).to_pylist()
        found += _differences(feature.name, column, theirs, keys)
    return ViewParity(
        view.key,
        count * len(features),
        len(found),
        present,
        tuple(found[:EXAMPLES_KEPT]),
        tuple(dict.fromkeys(difference.feature for difference in found)),
    )


def _spine(view: PublishedView, keys: Keys, at: datetime) -> pa.Table:
    count = len(next(iter(keys.values())))
    columns = {k.name: pa.array(keys[k.name], arrow_type(k.dtype)) for k in view.join_keys}
    return pa.table({**columns, _TIME: pa.array([at] * count, arrow_type("timestamp"))})


def _differences(
    feature: str, column: Column, offline: Sequence[Any], keys: Keys
) -> list[Difference]:
    found, convert = [], to_wire(column.dtype)
    for i, (wire, status, theirs) in enumerate(
        zip(column.wire, column.statuses, offline, strict=True)
    ):
        ours = wire if status == PRESENT else None
        expected = None if theirs is None else convert(theirs)
        if comparable(ours) != comparable(expected):
            entity = {name: values[i] for name, values in keys.items()}
            shown = ours if ours is None else (from_wire(column.dtype) or _same)(ours)
            found.append(Difference(feature, entity, shown, theirs, status))
    return found


def comparable(wire: Any) -> Any:
    """A wire value as something that equals only the same value of the same type."""
    if isinstance(wire, float):
        return ("float", "NaN" if wire != wire else struct.pack("<d", wire))
    if isinstance(wire, list):
        return ("list", tuple(comparable(item) for item in wire))
    return (type(wire).__name__, wire)


def _same(value: Any) -> Any:
    return value


def _no_transform(view: PublishedOnDemand) -> Transform:
    raise AssertionError(f"parity compares stored features, not {view.name}")
