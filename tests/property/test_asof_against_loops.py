"""The ASOF join against plain loops, on histories full of ties, late rows, nulls and odd hours."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.testing import feature, view
from tests.warehouses import INSTANT, hour, project, put_tables, source
from warehouse.bootstrap import open_engine
from warehouse.engines.duckdb import DuckDBEngine
from warehouse.engines.port import Engine
from warehouse.testing import InMemoryEngine

# Instants are few and close, so that rows meet; a microsecond apart counts.
instants = st.builds(
    lambda h, us: hour(h) + timedelta(microseconds=us), st.integers(0, 6), st.integers(0, 1)
)
maybe_instants = st.none() | instants
keys = st.none() | st.integers(0, 2)
names = st.none() | st.sampled_from(["a", "b"])
numbers = st.none() | st.sampled_from([0.0, 1.0, -1.0, float("nan")])
# The night on which Berlin's clocks were put back: 02:00 to 03:00 came twice.
local_hours = st.builds(
    lambda q: datetime(2013, 10, 27) + timedelta(minutes=15 * q), st.integers(0, 24)
)


@dataclass(frozen=True)
class Pair:
    """One DuckDB for all examples, and its slow twin for each."""

    folder: Path
    engine: Engine
    zone: str

    def both(self, past: pa.Table) -> tuple[str, Engine, Engine]:
        """A new table's name, and the two engines that know it."""
        name = f"past{next(_numbers)}"
        put_tables(self.folder, {name: past}, row_group_size=3)
        return name, self.engine, InMemoryEngine({name: past}, self.zone)


_numbers = itertools.count()


def _open(zone: str) -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="fh-asof-") as name:
        text = f'[warehouse]\ntime_zone = "{zone}"\nthreads = 1\n'
        engine = open_engine(project(Path(name), text))
        assert isinstance(engine, DuckDBEngine)
        # Parts of two rows: what is newest is then settled between parts, not within one.
        yield Pair(Path(name), replace(engine, scan_rows=2), zone)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    yield from _open("UTC")


@pytest.fixture(scope="module")
def berlin() -> Iterator[Pair]:
    yield from _open("Europe/Berlin")


def rows_of(*columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(st.tuples(*columns), max_size=14)


def table(rows: list[tuple[Any, ...]], **types: pa.DataType) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [[] for _ in types]
    return pa.table(
        {name: pa.array(c, kind) for (name, kind), c in zip(types.items(), columns, strict=True)}
    )


FEATURES = [feature("x"), feature("s", "string")]
quick = settings(max_examples=int(os.environ.get("ASOF_EXAMPLES", "50")), deadline=None)


@quick
@given(
    history=rows_of(keys, names, instants | st.none(), maybe_instants, numbers, names),
    spine=rows_of(keys, names, maybe_instants),
    ttl=st.sampled_from([None, 0.0, 3600.0, 7200.000001]),
    created=st.booleans(),
    as_of=st.none() | instants,
    tie=st.sampled_from([None, "s", "x"]),
)
def test_the_join_finds_what_loops_find(
    pair: Pair, history: Any, spine: Any, ttl: Any, created: bool, as_of: Any, tie: str | None
) -> None:
    past = table(
        history,
        id=pa.int64(),
        name=pa.string(),
        at=INSTANT,
        known_at=INSTANT,
        x=pa.float64(),
        s=pa.string(),
    )
    rows = table(spine, id=pa.int32(), name=pa.string(), t=INSTANT)
    name, *engines = pair.both(past)
    wanted = view(
        name,
        FEATURES,
        {"id": "int64", "name": "string"},
        source(name, created=created, tie_breaker=tie),
        ttl_seconds=ttl,
    )
    asked = {"as_of": as_of if created else None, "with_expired": True}
    fast, slow = (
        engine.as_of(rows, "t", wanted, ["s", "x"], **asked)  # type: ignore[arg-type]
        for engine in engines
    )
    assert fast.schema.equals(slow.schema)
    assert str(fast.to_pylist()) == str(slow.to_pylist())  # as text, since NaN is not itself


@quick
@given(
    history=rows_of(keys, instants | st.none(), maybe_instants, numbers, names),
    spine=rows_of(keys, maybe_instants),
    ttl=st.sampled_from([None, 0.0, 7200.000001]),
    created=st.booleans(),
    as_of=st.none() | instants,
    ordered=st.booleans(),
    unit=st.sampled_from(["us", "ns"]),
)
def test_whole_number_keys_read_without_duckdb_find_what_loops_find(
    pair: Pair,
    history: Any,
    spine: Any,
    ttl: Any,
    created: bool,
    as_of: Any,
    ordered: bool,
    unit: Any,
) -> None:
    types = {"id": pa.int32(), "at": INSTANT, "known_at": INSTANT}
    past = table(history, **types, x=pa.float64(), s=pa.string())
    if ordered:
        past = past.sort_by("at")
    rows = table(spine, id=pa.int64(), t=pa.timestamp(unit, tz="UTC"))
    name, *engines = pair.both(past)
    wanted = view(name, FEATURES, source=source(name, created=created), ttl_seconds=ttl)
    asked = {"as_of": as_of if created else None, "with_expired": True}
    fast, slow = (
        engine.as_of(rows, "t", wanted, ["s", "x"], **asked)  # type: ignore[arg-type]
        for engine in engines
    )
    assert str(fast.to_pylist()) == str(slow.to_pylist())


@quick
@given(
    history=rows_of(keys, instants | st.none(), maybe_instants, numbers, names),
    since=st.none() | instants,
    until=instants,
    created=st.booleans(),
)
def test_latest_finds_what_loops_find(
    pair: Pair, history: Any, since: Any, until: Any, created: bool
) -> None:
    types = {"id": pa.int64(), "at": INSTANT, "known_at": INSTANT}
    past = table(history, **types, x=pa.float64(), s=pa.string())
    name, *engines = pair.both(past)
    wanted = view(name, FEATURES, source=source(name, created=created))
    fast, slow = (engine.latest(wanted, since=since, until=until).read_all() for engine in engines)
    assert fast.schema.equals(slow.schema)
    assert str(fast.sort_by("id").to_pylist()) == str(slow.sort_by("id").to_pylist())


@quick
@given(
    history=rows_of(st.integers(0, 1), local_hours, numbers),
    spine=rows_of(st.integers(0, 1), local_hours),
)
def test_local_times_are_read_alike_where_the_clock_was_put_back(
    berlin: Pair, history: Any, spine: Any
) -> None:
    past = table(history, id=pa.int64(), at=pa.timestamp("us"), x=pa.float64())
    rows = table(spine, id=pa.int64(), t=pa.timestamp("us"))
    name, *engines = berlin.both(past)
    wanted = view(name, [feature("x")], source=source(name))
    fast, slow = (engine.as_of(rows, "t", wanted, ["x"]) for engine in engines)
    assert str(fast.to_pylist()) == str(slow.to_pylist())
