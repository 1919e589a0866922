"""The join against an oracle of its own, on worlds drawn at random: stored types unlike declared
ones, names that need quotes or end in _y, mapped fields, skewed keys, rows created late.

`ASOF_WORLDS=1000` draws that many.
"""

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry.testing import feature, view
from tests.warehouses import project, put_tables, source
from warehouse.bootstrap import open_engine
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, EXPIRED, Engine

ZONE = ZoneInfo("America/New_York")
START = datetime(2013, 11, 3, 3, 30, tzinfo=UTC)  # an hour and a half before clocks go back
US, NS, MS = (pa.timestamp(unit, "UTC") for unit in ("us", "ns", "ms"))
NAIVE = pa.timestamp("us")
MOMENTS = [START + timedelta(minutes=30 * n, microseconds=n % 3) for n in range(12)]
_numbers = itertools.count()


@dataclass(frozen=True)
class Kind:
    """A declared type, the types that a source may hold it in, values, and what they become."""

    dtype: str
    stored: tuple[pa.DataType, ...]
    values: tuple[Any, ...]
    become: Callable[[Any], Any] = lambda value: value


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZONE).replace(tzinfo=None)


def day(value: date) -> datetime:
    return datetime(value.year, value.month, value.day, tzinfo=ZONE).astimezone(UTC)


PAIR = pa.struct([("a", pa.int64()), ('b"', pa.list_(pa.string()))])
INNER = ({"a": 2**63 - 1, 'b"': ["x", None]}, {"a": None, 'b"': None})
KINDS = (
    Kind("int64", (pa.int64(),), (2**63 - 1, -(2**63), 2**53 + 1, 0)),
    Kind("int64", (pa.uint8(), pa.int16(), pa.uint32(), pa.uint64()), (0, 7, 255)),
    Kind("int32", (pa.int8(), pa.int32(), pa.uint16()), (0, 127)),
    Kind("float64", (pa.float64(), pa.float32(), pa.int32()), (0.0, -1.0, 2.0)),
    Kind("float32", (pa.float32(), pa.float64()), (0.5, float("inf"))),
    Kind("bool", (pa.bool_(),), (True, False)),
    Kind(
        "string",
        (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()),
        ("", "a'b", '"', "ünï", "a\0b"),
    ),
    Kind("uuid", (pa.string(),), ("6f1c", "")),
    Kind("json", (pa.string(),), ('{"a": 1}', "[]")),
    Kind("bytes", (pa.binary(), pa.large_binary()), (b"", b"\0\xff")),
    Kind(
        "decimal",
        (pa.decimal128(38, 9), pa.decimal128(12, 2), pa.decimal128(20, 4)),
        (Decimal("1.25"), Decimal("-99999999.01")),
    ),
    Kind("decimal", (pa.decimal128(38, 9),), (Decimal("12345678901234567890123456789.123456789"),)),
    Kind("timestamp", (US, pa.timestamp("us", "Asia/Tokyo"), NS), tuple(MOMENTS[:3])),
    Kind("timestamp", (pa.date32(),), (date(2013, 1, 2), date(1969, 7, 20)), day),
    Kind(
        "list<int64>", (pa.list_(pa.int64()), pa.large_list(pa.int64())), ([], [1, None, 2**63 - 1])
    ),
    Kind("list<int32>", (pa.list_(pa.int32(), 2),), ([1, 2], [3, None])),
    Kind("list<string>", (pa.list_(pa.string()),), ([], ["a", None, '"'])),
    Kind("list<timestamp>", (pa.list_(US),), ([MOMENTS[0]],)),
    Kind("list<list<float64>>", (pa.list_(pa.list_(pa.float64())),), ([[], [1.5, None], None],)),
    Kind("list<decimal>", (pa.list_(pa.decimal128(38, 9)),), ([Decimal("1.5"), None],)),
    Kind("struct", (PAIR,), INNER, json.dumps),
    Kind("json", (pa.list_(PAIR),), ([INNER[0]], []), json.dumps),
    Kind(
        "map", (pa.map_(pa.string(), pa.int64()),), ([("k", 1)], []), lambda m: json.dumps(dict(m))
    ),
)
KEYS = (
    Kind(
        "int64",
        (pa.int8(), pa.uint16(), pa.int32(), pa.int64(), pa.uint64(), pa.float64()),
        (0, 1, 2),
    ),
    Kind("int64", (pa.int64(),), (-(2**63), 2**63 - 1, 0, 5_000_000)),
    Kind("int32", (pa.int32(), pa.uint8(), pa.decimal128(9, 0)), (0, 1, 100)),
    Kind(
        "string",
        (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())),
        ("", "a", "ä"),
    ),
    Kind("bool", (pa.bool_(),), (True, False)),
    Kind("bytes", (pa.binary(),), (b"a", b"\0")),
)
NAMES = [
    "value",
    "value_y",
    'we"ird',
    "select",
    "at ",
    "k0",
    "pos",
    "slot",
    "Ä",
    "a.b",
    "code",
    "__x",
]


class World:
    """A view, its history and a spine, and what every spine row must find."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        names = self.r.sample(NAMES, len(NAMES))
        self.keys = {
            names.pop(): self.r.choice(KEYS) for _ in range(self.r.choice([0, 1, 1, 1, 2]))
        }
        self.features = {names.pop(): self.r.choice(KINDS) for _ in range(self.r.randint(1, 5))}
        self.late, self.mapped = self.r.random() < 0.5, self.r.random() < 0.3
        self.ttl = self.r.choice([None, None, 0, 3600])
        self.as_of = self.r.choice(MOMENTS) if self.late and self.r.random() < 0.3 else None
        self.time = self.r.choice([US, NS, NAIVE, MS, pa.timestamp("us", "Asia/Tokyo")])
        shape = self.r.choice(["even", "half", "zipf", "none"])
        self.rows = [
            self._row(n, shape) for n in range(0 if shape == "none" else self.r.randint(1, 40))
        ]
        if self.r.random() < 0.4:
            self.rows.sort(key=lambda row: row["at"] or START)
        self.asked = [self._asked(shape) for _ in range(self.r.choice([0, 1, 25]))]

    def _key(self, kind: Kind, shape: str) -> Any:
        if self.r.random() < 0.05:
            return None
        if shape == "half" and self.r.random() < 0.5:
            return kind.values[0]
        if shape == "zipf":
            return kind.values[min(int(self.r.paretovariate(1)) - 1, len(kind.values) - 1)]
        return self.r.choice(kind.values)

    def _moment(self) -> datetime | None:
        if self.r.random() < 0.05:
            return None
        moment = self.r.choice(MOMENTS)
        return moment.replace(microsecond=0) if self.time == MS else moment

    def _row(self, number: int, shape: str) -> dict[str, Any]:
        row = {name: self._key(kind, shape) for name, kind in self.keys.items()}
        for name, kind in self.features.items():
            row[name] = None if self.r.random() < 0.2 else self.r.choice(kind.values)
        at = self._moment()
        late = timedelta(minutes=self.r.choice([0, 0, 30, 60, -30]))
        known = None if at is None or self.r.random() < 0.1 else at + late
        return {**row, "at": at, "known_at": known, "seq": number}

    def _asked(self, shape: str) -> dict[str, Any]:
        keys = {name: self._key(kind, shape) for name, kind in self.keys.items()}
        return {**keys, "t": self._moment()}

    def held(self, name: str) -> str:
        return f"{name}__" if self.mapped else name

    def column(self, values: list[Any], stored: pa.DataType) -> pa.Array:
        if pa.types.is_timestamp(stored) and stored.tz is None:
            values = [None if value is None else local(value) for value in values]
        if pa.types.is_dictionary(stored):
            return pa.array(values, stored.value_type).cast(stored)
        return pa.array(values, stored)

    def history(self) -> pa.Table:
        types = {n: self.r.choice(k.stored) for n, k in {**self.keys, **self.features}.items()}
        types |= {"at": self.time, "known_at": self.r.choice([US, NAIVE, NS]), "seq": pa.int64()}
        names = self.r.sample(list(types), len(types))
        columns = {n: self.column([row[n] for row in self.rows], types[n]) for n in names}
        return pa.table({self.held(name): column for name, column in columns.items()})

    def spine(self) -> pa.Table:
        types = {n: self.r.choice(k.stored) for n, k in self.keys.items()}
        types["t"] = self.r.choice([US, NS, NAIVE, pa.timestamp("us", "Europe/Berlin")])
        return pa.table({n: self.column([a[n] for a in self.asked], t) for n, t in types.items()})

    def view(self, name: str) -> Any:
        all_names = [*self.keys, *self.features, "at", "known_at", "seq"]
        mapping = {self.held(n): n for n in all_names} if self.mapped else {}
        read = source(name, created=self.late, mapping=mapping, tie_breaker="seq")
        features = [feature(n, kind.dtype) for n, kind in self.features.items()]
        keys = {n: kind.dtype for n, kind in self.keys.items()}
        made = view(name, features, keys, read, ttl_seconds=self.ttl)
        return made if keys else replace(made, join_keys=())


def doubtful(moment: datetime | None, arrow: pa.DataType, later: bool) -> datetime | None:
    """The instant that a time without a zone is read as, where the clock was put back."""
    if moment is None or arrow.tz is not None:
        return moment
    return local(moment).replace(tzinfo=ZONE, fold=int(later)).astimezone(UTC)


def expected(world: World, past: pa.Table, spine: pa.Table) -> list[dict[str, Any]]:
    """Loops, as a reader of the rule would write them."""
    at_type = past.schema.field(world.held("at")).type
    known_type = past.schema.field(world.held("known_at")).type
    t_type = spine.schema.field("t").type
    answers = []
    for asked in world.asked:
        t = doubtful(asked["t"], t_type, later=False)
        best: tuple[Any, ...] | None = None
        for row in world.rows:
            event = doubtful(row["at"], at_type, later=True)
            same = all(asked[k] is not None and asked[k] == row[k] for k in world.keys)
            if t is None or event is None or not same:
                continue
            known = doubtful(row["known_at"], known_type, later=True) if world.late else event
            known = event if known is None else known
            if event <= t and known <= (world.as_of or t):
                found = (event, known, row["seq"], row)
                best = found if best is None or found[:3] > best[:3] else best
        answers.append(answer(world, best, t))
    return answers


def answer(world: World, best: tuple[Any, ...] | None, t: datetime | None) -> dict[str, Any]:
    expired = bool(
        best and t and world.ttl is not None and best[0] < t - timedelta(seconds=world.ttl)
    )
    found = None if expired else best
    row = found[3] if found else {}
    values = {
        name: None if row.get(name) is None else kind.become(row[name])
        for name, kind in world.features.items()
    }
    times = {EVENT_TIME: found[0] if found else None, CREATED_TIME: found[1] if found else None}
    return {**values, **times, EXPIRED: expired}


def comparable(world: World, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Text of structs and maps as what it says; NaN does not occur."""
    read = [n for n, k in world.features.items() if k.dtype in ("struct", "map", "json")]
    return [
        {n: json.loads(v) if n in read and v is not None else v for n, v in row.items()}
        for row in rows
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Engine]:
    folder = tmp_path_factory.mktemp("worlds")
    text = f'[warehouse]\ntime_zone = "{ZONE.key}"\nthreads = 1\n'
    return folder, open_engine(project(folder, text))


@settings(max_examples=int(os.environ.get("ASOF_WORLDS", "40")), deadline=None)
@given(seed=st.integers(0, 2**32))
@example(seed=758)  # keys at both ends of 64 bits, read by casts
@example(seed=262144)  # dates as a feature
def test_any_world_is_joined_as_its_oracle_says(engine: tuple[Path, Engine], seed: int) -> None:
    folder, fast = engine
    world, name = World(seed), f"past{next(_numbers)}"
    past, spine = world.history(), world.spine()
    put_tables(folder, {name: past}, row_group_size=5)
    found = fast.as_of(
        spine, "t", world.view(name), list(world.features), as_of=world.as_of, with_expired=True
    )
    right = expected(world, past, spine)
    assert comparable(world, found.to_pylist()) == comparable(world, right)
