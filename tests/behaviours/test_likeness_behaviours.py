"""How a store finds features that may be alike: in memory, on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from registry.adapters.sql.database import open_database
from registry.adapters.sql.store import SqlStore
from registry.core.definitions import Source
from registry.core.similarity.minhash import bands
from registry.core.similarity.trees import sql_tree
from registry.core.similarity.values import ValueSketch
from registry.core.sql_lineage import column_text
from registry.kernel.clock import FixedClock
from registry.kernel.signing import SigningKey
from registry.ports import Principal, Store
from registry.service.apply import apply
from registry.service.context import Context
from registry.service.propose import approve, propose
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, feature, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
KEYS = tuple(range(5, 6405, 100))
TIMES = tuple(NOON + timedelta(days=n) for n in range(6))
VALUES = np.random.default_rng(5).normal(50, 20, (len(TIMES), len(KEYS)))
QUERY = (
    "SELECT carrier, at, AVG(delay) OVER (PARTITION BY carrier ORDER BY at "
    "RANGE BETWEEN INTERVAL 28 DAY PRECEDING AND CURRENT ROW) AS mean_delay FROM flights "
    "WHERE cancelled = 0 AND distance > 100"
)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield landed(InMemoryStore())
        return
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = open_database(url)
    yield landed(SqlStore(database))
    database.close()


def landed(store: Store) -> Store:
    """The store with one feature, and a sketch of it that was made anew once."""
    context = Context(store, FixedClock(NOON), SigningKey(bytes(32)))
    source = Source("delays", "sql", query=QUERY, timestamp_field="at")
    made = compiled(view(feature("mean_delay"), source=source))
    digest = propose(context, made, ADA).proposal.digest
    approve(context, digest, BOB)
    apply(context, digest, made, ADA)
    with store.write() as transaction:
        for values in (VALUES[::-1], VALUES):
            transaction.save_sketches("flights", [sketch("delays:mean_delay@1", values)], NOON)
        transaction.save_sketches("flights", [sketch("delays:nothing@1", VALUES)], NOON)
    return store


def sketch(ref: str, values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> ValueSketch:
    return ValueSketch(ref, "carrier", KEYS, TIMES, "number", values)


def found_by_values(store: Store, asked: ValueSketch) -> list[str]:
    with store.read() as transaction:
        return [f"{n}/{r.ref}" for n, r, _ in transaction.value_candidates(asked, 9)]


def found_by_structure(store: Store, query: str) -> list[str]:
    tree = sql_tree(column_text(query, ("mean_delay",)))
    assert tree is not None
    with store.read() as transaction:
        return [r.ref for _, r in transaction.structure_candidates(bands(tree), 9)]


def test_a_copy_in_another_unit_finds_the_live_feature_alone(store: Store) -> None:
    asked = sketch("new:minutes@1", VALUES / 60 - 7)
    assert found_by_values(store, asked) == ["flights/delays:mean_delay@1"]
    with store.read() as transaction:
        ((_, _, kept),) = transaction.value_candidates(asked, 9)
    np.testing.assert_array_equal(kept.values, VALUES)


def test_other_values_or_another_entity_find_nothing(store: Store) -> None:
    other = np.random.default_rng(6).normal(50, 20, VALUES.shape)
    assert found_by_values(store, sketch("new:other@1", other)) == []
    elsewhere = replace(sketch("new:copy@1", VALUES), entity="origin")
    assert found_by_values(store, elsewhere) == []
    assert found_by_values(store, sketch("new:constant@1", np.ones_like(VALUES))) == []


def test_a_near_copy_of_a_definition_finds_it_and_another_does_not(store: Store) -> None:
    near = QUERY.replace("28 DAY", "7 DAY").replace("AVG", "MAX")
    assert found_by_structure(store, near) == ["delays:mean_delay@1"]
    with store.write() as transaction:  # again, as after an upgrade
        transaction.index_definitions("flights")
    assert found_by_structure(store, near) == ["delays:mean_delay@1"]
    other = "SELECT tailnum, at, seats * 2 - engines AS mean_delay FROM planes GROUP BY ALL"
    assert found_by_structure(store, other) == []
