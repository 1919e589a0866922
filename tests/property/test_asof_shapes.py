"""The join against plain loops on whole shapes of data: skewed, sparse, late, of any schema."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.published import PublishedView
from registry.testing import feature, view
from tests.warehouses import INSTANT, START, duckdb_engine, source
from warehouse.testing import InMemoryEngine

START_US = int(START.timestamp()) * 1_000_000
HISTORY, SPINE, KEYS = 1_500, 150, 40


def keys_of(shape: str, random: np.random.Generator, rows: int) -> Any:
    if shape == "zipf":
        return (random.zipf(1.3, rows) - 1) % KEYS
    if shape == "half":
        return np.where(random.random(rows) < 0.5, 0, random.integers(0, KEYS, rows))
    if shape == "once":
        return random.permutation(rows)
    return random.integers(0, KEYS, rows)


def instants(micros: Any) -> pa.Array:
    return pa.array(micros).cast(INSTANT)


def generate(shape: str, seed: int) -> tuple[pa.Table, pa.Table]:
    """A history, its times in whole minutes so that some are shared, and a spine."""
    random = np.random.default_rng(seed)
    rows = 0 if shape == "empty" else HISTORY
    minutes = random.integers(0, 600, rows)
    late = random.integers(0, 90, rows) * (random.random(rows) < 0.3)
    past = pa.table(
        {
            "id": pa.array(keys_of(shape, random, rows), pa.int32()),
            "name": pa.array(np.where(minutes % 2, "odd", "even")),
            "at": instants(START_US + minutes * 60_000_000),
            "known_at": instants(START_US + (minutes + late) * 60_000_000),
            "value": random.integers(0, 5, rows).astype(float),
        }
    )
    if shape == "sorted":
        past = past.sort_by("at")
    spine = pa.table(
        {
            "id": pa.array(keys_of(shape, random, SPINE), pa.int64()),
            "name": random.choice(["odd", "even"], SPINE),
            "t": instants(START_US + random.integers(0, 700, SPINE) * 60_000_000),
        }
    )
    return past, spine


def views(created: bool) -> list[PublishedView]:
    """One integer key, and a key of two parts."""
    read = source("past", created=created)
    value = [feature("value")]
    both = {"id": "int64", "name": "string"}
    return [
        view("past", value, source=read, ttl_seconds=7_200.0),
        view("past", value, both, source=read),
    ]


@pytest.mark.parametrize("created", [False, True], ids=["as it happened", "created late"])
@pytest.mark.parametrize("shape", ["even", "zipf", "half", "once", "sorted", "empty"])
def test_shapes_are_joined_as_loops_join_them(shape: str, created: bool, tmp_path: Path) -> None:
    past, spine = generate(shape, seed=len(shape))
    fast, slow = duckdb_engine(tmp_path, {"past": past}), InMemoryEngine({"past": past})
    for asked in views(created):
        found, right = (
            engine.as_of(spine, "t", asked, ["value"], with_expired=True) for engine in (fast, slow)
        )
        assert found.equals(right)
        newest = [e.latest(asked, since=None, until=START).read_all() for e in (fast, slow)]
        assert newest[0].equals(newest[1])


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False, width=64),
    "string": st.text(max_size=3),
    "bytes": st.binary(max_size=3),
    "list<int64>": st.lists(st.none() | st.integers(0, 3), max_size=3),
}
ARROW = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "list<int64>": pa.list_(pa.int64()),
}
KEY_VALUES = {
    "int32": st.integers(-1, 1),
    "int64": st.sampled_from([-(2**63), 0, 2**63 - 1]),
    "string": st.sampled_from(["", "a", "ä"]),
}
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str], pa.Table, pa.Table]:
    """Keys and features by name and type, a history and a spine of that schema."""
    taken = {"at", "t", "known_at"}
    names = draw(
        st.lists(NAMES, min_size=3, max_size=5, unique_by=str.casefold).filter(
            lambda found: not taken & {name.casefold() for name in found}
        )
    )
    keys = {name: draw(st.sampled_from(sorted(KEY_VALUES))) for name in names[:2]}
    features = {name: draw(st.sampled_from(sorted(VALUES))) for name in names[2:]}
    minutes = st.integers(0, 5)
    past: dict[str, list[Any]] = {name: [] for name in (*names, "at")}
    for _ in range(draw(st.integers(0, 8))):
        for name, kind in keys.items():
            past[name].append(draw(st.none() | KEY_VALUES[kind]))
        for name, kind in features.items():
            past[name].append(draw(st.none() | VALUES[kind]))
        past["at"].append(draw(minutes))
    rows = draw(st.integers(0, 6))
    spine = {n: [draw(st.none() | KEY_VALUES[k]) for _ in range(rows)] for n, k in keys.items()}
    times = [draw(minutes) for _ in range(rows)]
    types = {name: ARROW[kind] for name, kind in {**keys, **features}.items()}
    history = {name: pa.array(past[name], kind) for name, kind in types.items()}
    history["at"] = instants(np.array(past["at"], np.int64) * 60_000_000)
    asked = {name: pa.array(cells, types[name]) for name, cells in spine.items()}
    asked["t"] = instants(np.array(times, np.int64) * 60_000_000)
    return keys, features, pa.table(history), pa.table(asked)


@settings(max_examples=25, deadline=None)
@given(world=worlds())
def test_any_schema_is_joined_as_loops_join_it(
    world: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys, features, past, spine = world
    wanted = view("past", [feature(n, k) for n, k in features.items()], keys, source("past"))
    fast = duckdb_engine(tmp_path_factory.mktemp("world"), {"past": past})
    slow = InMemoryEngine({"past": past})
    found, right = (e.as_of(spine, "t", wanted, list(features)) for e in (fast, slow))
    assert found.schema.equals(right.schema)
    assert str(found.to_pylist()) == str(right.to_pylist())
