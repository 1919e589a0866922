"""Fills a registry with features to be found or not: definitions, value sketches, both indexed.

Definitions are one of many aggregates, columns, windows and filters over tables of fifty teams;
values are delays, counts, amounts and shares of 120 customers, some of them another's in another
unit. Written through the registry's own adapters, as `apply` and `materialize` do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from registry.adapters.sql.database import Database
from registry.adapters.sql.sketches import save_sketches
from registry.adapters.sql.states import save_state
from registry.core.definitions import Governance
from registry.core.similarity.relations import Floats
from registry.core.similarity.values import ValueSketch
from registry.core.state import FeatureRecord, NamespaceState
from registry.kernel.canonical import digest

NOW = datetime(2013, 6, 20, tzinfo=UTC)
PER_NAMESPACE = 100
ENTITIES = ("customer", "carrier", "origin", "store", "plane")
AGGREGATES = ("AVG", "SUM", "MAX", "MIN", "COUNT", "MEDIAN", "STDDEV_SAMP")
MEASURES = ("amount", "arr_delay", "dep_delay", "distance", "items", "price", "air_time", "seats")
WINDOWS = ("1", "7", "14", "28", "30", "90")
STATUS = ("'paid'", "'open'", "'late'", "'void'")
_FACTS = Governance(owner="ops@example.com", unit="1", state="production", description="a measure")


def namespace_of(number: int) -> str:
    return f"team_{number // PER_NAMESPACE:04d}"


def record(number: int) -> FeatureRecord:
    """Registered feature `number`: one definition of its own."""
    chance = np.random.default_rng(number)
    table = f"events_{number % 53}"
    measure, aggregate = chance.choice(MEASURES), chance.choice(AGGREGATES)
    expression = (
        f"SELECT {aggregate}({table}.{measure}) OVER (PARTITION BY {table}.{entity(number)} "
        f"ORDER BY {table}.at RANGE BETWEEN INTERVAL '{chance.choice(WINDOWS)}' DAY PRECEDING "
        f"AND CURRENT ROW) FROM {table} WHERE {chance.integers(1, 90)} < {table}.items "
        f"AND {table}.status = {chance.choice(STATUS)}"
    )
    return FeatureRecord(
        view=f"view_{number % PER_NAMESPACE // 20}",
        name=f"f_{number % PER_NAMESPACE:03d}",
        version=1,
        dtype="float64",
        meaning=digest(number),
        text=digest(["text", number]),
        definition_key=digest(["definition", number]),
        facets=(("expression", expression), ("join keys", f"{entity(number)} string")),
        state="production",
        facts=_FACTS,
    )


def entity(number: int) -> str:
    return ENTITIES[number % len(ENTITIES)]


def sketches(
    numbers: Sequence[int], keys: tuple[int, ...], anchors: tuple[datetime, ...]
) -> Iterator[ValueSketch]:
    """What these features' values are at the keys and anchors."""
    for number in numbers:
        chance = np.random.default_rng(number if number % 50 else number // 2)
        shape = (len(anchors), len(keys))
        values = _values(number % 4, chance, shape)
        values = values if number % 50 else values * 60
        empty = chance.random(shape) < (0.2 if number % 3 == 0 else 0.0)
        ref = record_ref(number)
        values = np.where(empty, np.nan, values)
        yield ValueSketch(ref, entity(number), keys, anchors, "number", values)


def _values(kind: int, chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Delays, counts, amounts or shares."""
    if kind == 0:
        return np.round(chance.normal(8, 20, shape), 1)
    if kind == 1:
        return chance.poisson(chance.gamma(2, 6, shape[1]), shape).astype(np.float64)
    if kind == 2:
        return np.round(chance.lognormal(3, 1, shape), 2)
    return np.round(chance.beta(2, 5, shape), 3)


def record_ref(number: int) -> str:
    return f"view_{number % PER_NAMESPACE // 20}:f_{number % PER_NAMESPACE:03d}@1"


def fill(
    database: Database, first: int, last: int, keys: tuple[int, ...], at: tuple[datetime, ...]
) -> None:
    """Register features `first` to `last`, a namespace at a time."""
    for start in range(first, last, PER_NAMESPACE):
        numbers = range(start, min(start + PER_NAMESPACE, last))
        name = namespace_of(start)
        empty = NamespaceState(name)
        records = {record.ref: record for record in map(record, numbers)}
        with database.write() as connection:
            save_state(connection, empty, replace(empty, number=1, features=records))
            save_sketches(connection, name, sketches(numbers, keys, at), NOW)
