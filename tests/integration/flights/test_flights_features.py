"""The repository's window queries against a slow, obvious computation, and against the future."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Flight:
    """What the queries read of one flight."""

    origin: str
    dest: str
    carrier: str
    tailnum: str | None
    distance: int
    sched_dep_at: datetime
    dep_at: datetime | None
    dep_delay: int | None
    arr_delay: int | None
    air_time: int | None
    cancelled: bool
    outcome_known_at: datetime


SCHEMA = pa.schema(
    {
        **dict.fromkeys(("origin", "dest", "carrier", "tailnum"), pa.string()),
        "distance": pa.int32(),
        **dict.fromkeys(("sched_dep_at", "dep_at"), INSTANT),
        **dict.fromkeys(("dep_delay", "arr_delay", "air_time"), pa.int32()),
        "cancelled": pa.bool_(),
        "outcome_known_at": INSTANT,
    }
)
Flights = Sequence[Flight]
Row = dict[str, Any]


def departed(flights: Flights, now: datetime, hours: int) -> list[Flight]:
    return [f for f in flights if f.dep_at and now - hours * HOUR <= f.dep_at <= now]


def known(flights: Flights, now: datetime, hours: int) -> list[Flight]:
    return [f for f in flights if now - hours * HOUR <= f.outcome_known_at <= now]


def mean(values: Iterable[float | bool | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def late(delay: int | None) -> bool | None:
    return None if delay is None else delay > 15


def arrival_delay(flights: Flights) -> float | None:
    return mean(f.arr_delay for f in flights)


def late_rate(flights: Flights) -> float | None:
    return mean(late(f.arr_delay) for f in flights)


def overdue(flight: Flight, now: datetime) -> bool:
    left = flight.dep_at is not None and flight.dep_at <= now
    return flight.sched_dep_at <= now < flight.sched_dep_at + 3 * HOUR and not left


def airport_now(flights: Flights, now: datetime) -> Row:
    last_2h, last_24h = departed(flights, now, 2), departed(flights, now, 24)
    return {
        "departures_2h": len(last_2h),
        "mean_departure_delay_2h": mean(f.dep_delay for f in last_2h),
        "late_departure_rate_2h": mean(late(f.dep_delay) for f in last_2h),
        "late_departure_rate_24h": mean(late(f.dep_delay) for f in last_24h),
        "overdue_flights": sum(overdue(f, now) for f in flights),
    }


def destination_now(flights: Flights, now: datetime) -> Row:
    return {
        "mean_arrival_delay_6h": arrival_delay(known(flights, now, 6)),
        "mean_arrival_delay_24h": arrival_delay(known(flights, now, 24)),
        "late_rate_24h": late_rate(known(flights, now, 24)),
    }


def plane_departure_now(flights: Flights, now: datetime) -> Row:
    delays = [f.dep_delay for f in flights if f.dep_at == now and f.dep_delay is not None]
    return {"last_departure_delay": max(delays)}


def plane_now(flights: Flights, now: datetime) -> Row:
    delays = [f.arr_delay for f in known(flights, now, 0) if f.arr_delay is not None]
    return {
        "last_arrival_delay": max(delays, default=None),
        "mean_arrival_delay_7d": arrival_delay(known(flights, now, 7 * 24)),
        "late_rate_30d": late_rate(known(flights, now, 30 * 24)),
        "flights_7d": len(known(flights, now, 7 * 24)),
    }


def carrier_departures_now(flights: Flights, now: datetime) -> Row:
    last = departed(flights, now, 2)
    return {"departures_2h": len(last), "mean_departure_delay_2h": mean(f.dep_delay for f in last)}


def carrier_now(flights: Flights, now: datetime) -> Row:
    return {
        "mean_arrival_delay_24h": arrival_delay(known(flights, now, 24)),
        "mean_arrival_delay_7d": arrival_delay(known(flights, now, 7 * 24)),
        "late_rate_30d": late_rate(known(flights, now, 30 * 24)),
        "cancel_rate_30d": mean(f.cancelled for f in known(flights, now, 30 * 24)),
        "flights_7d": len(known(flights, now, 7 * 24)),
    }


def route_now(flights: Flights, now: datetime) -> Row:
    month = known(flights, now, 30 * 24)
    return {
        "distance": max(f.distance for f in known(flights, now, 0)),
        "mean_air_time_30d": mean(f.air_time for f in month),
        "mean_arrival_delay_24h": arrival_delay(known(flights, now, 24)),
        "mean_arrival_delay_7d": arrival_delay(known(flights, now, 7 * 24)),
        "late_rate_30d": late_rate(month),
        "cancel_rate_30d": mean(f.cancelled for f in month),
        "flights_30d": len(month),
    }


def departure_moments(flight: Flight) -> set[datetime]:
    return {flight.dep_at} if flight.dep_at else set()


def outcome_moments(flight: Flight) -> set[datetime]:
    return {flight.outcome_known_at}


def queue_moments(flight: Flight) -> set[datetime]:
    limit = flight.sched_dep_at + 3 * HOUR
    if flight.dep_at is not None and flight.dep_at <= flight.sched_dep_at:
        return {flight.dep_at}
    return departure_moments(flight) | {flight.sched_dep_at, min(flight.dep_at or limit, limit)}


@dataclass(frozen=True)
class Twin:
    """A query's keys, when it gives rows, and what a row holds."""

    keys: tuple[str, ...]
    moments: Callable[[Flight], set[datetime]]
    row: Callable[[Flights, datetime], Row]


TWINS: Mapping[str, Twin] = {
    "departures_at_airport": Twin(("origin",), queue_moments, airport_now),
    "outcomes_at_destination": Twin(("dest",), outcome_moments, destination_now),
    "departures_of_plane": Twin(("tailnum",), departure_moments, plane_departure_now),
    "outcomes_of_plane": Twin(("tailnum",), outcome_moments, plane_now),
    "departures_of_carrier": Twin(("carrier",), departure_moments, carrier_departures_now),
    "outcomes_of_carrier": Twin(("carrier",), outcome_moments, carrier_now),
    "outcomes_of_route": Twin(("origin", "dest"), outcome_moments, route_now),
}


def slow(twin: Twin, flights: Flights) -> list[Row]:
    """All the rows that the query should give, sorted by keys and time."""
    groups: dict[tuple[Any, ...], list[Flight]] = defaultdict(list)
    for flight in flights:
        groups[tuple(getattr(flight, key) for key in twin.keys)].append(flight)
    return [
        {**dict(zip(twin.keys, key, strict=True)), "known_at": now, **twin.row(members, now)}
        for key, members in sorted((k, m) for k, m in groups.items() if None not in k)
        for now in sorted(set().union(*map(twin.moments, members)))
    ]


def fast(twin: Twin, query: str, flights: Flights) -> list[Row]:
    """All the rows that the query gives."""
    table = pa.Table.from_pylist([asdict(flight) for flight in flights], schema=SCHEMA)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("flights", table)
        ordered = f"SELECT * FROM ({query}) ORDER BY {', '.join(twin.keys)}, known_at"
        rows: list[Row] = connection.sql(ordered).to_arrow_table().to_pylist()
        return rows


START = datetime(2013, 3, 1, tzinfo=UTC)
KINDS = ("landed", "landed", "landed", "cancelled", "diverted")


@st.composite
def a_flight(draw: st.DrawFn) -> Flight:
    """One flight; few keys and round times, so that ties and window edges are common."""
    kind = draw(st.sampled_from(KINDS))
    scheduled = START + draw(st.sampled_from([1, 2, 24, 700])) * HOUR * draw(st.integers(0, 3))
    dep_delay = None if kind == "cancelled" else draw(st.sampled_from([-60, 0, 15, 16, 60, 300]))
    dep_at = None if dep_delay is None else scheduled + timedelta(minutes=dep_delay)
    landed = kind == "landed"
    arr_delay = draw(st.sampled_from([-30, 0, 15, 16, 120])) if landed else None
    return Flight(
        origin=draw(st.sampled_from(["EWR", "JFK"])),
        dest=draw(st.sampled_from(["LAX", "BOS"])),
        carrier=draw(st.sampled_from(["UA", "B6"])),
        tailnum=draw(st.sampled_from(["N1", "N2", None if kind == "cancelled" else "N1"])),
        distance=draw(st.sampled_from([187, 2475])),
        sched_dep_at=scheduled,
        dep_at=dep_at,
        dep_delay=dep_delay,
        arr_delay=arr_delay,
        air_time=draw(st.sampled_from([60, 300])) if landed else None,
        cancelled=kind == "cancelled",
        outcome_known_at=(dep_at or scheduled) + (HOUR if landed else 24 * HOUR),
    )


def as_known_at(flight: Flight, now: datetime) -> Flight:
    """The flight as its record stood at `now`: what had not happened is not there."""
    seen = flight
    if flight.dep_at is not None and flight.dep_at > now:
        seen = replace(seen, dep_at=None, dep_delay=None)
    if flight.outcome_known_at > now:
        seen = replace(seen, arr_delay=None, air_time=None, cancelled=False)
    return seen


@pytest.mark.parametrize("name", TWINS)
@settings(max_examples=15, deadline=None)
@given(flights=st.lists(a_flight(), max_size=12))
def test_a_query_gives_what_the_slow_computation_gives(
    name: str, flights: list[Flight], flights_queries: Mapping[str, str]
) -> None:
    assert fast(TWINS[name], flights_queries[name], flights) == slow(TWINS[name], flights)


@pytest.mark.parametrize("name", TWINS)
@settings(max_examples=8, deadline=None)
@given(flights=st.lists(a_flight(), min_size=1, max_size=12), data=st.data())
def test_a_row_is_the_same_when_nothing_later_is_known(
    name: str, flights: list[Flight], data: st.DataObject, flights_queries: Mapping[str, str]
) -> None:
    twin, query = TWINS[name], flights_queries[name]
    now = data.draw(st.sampled_from(sorted(set().union(*map(queue_moments, flights)))))
    then = [as_known_at(f, now) for f in flights if f.sched_dep_at <= now or f.dep_at]
    until_now = [row for row in fast(twin, query, flights) if row["known_at"] <= now]
    assert [r for r in fast(twin, query, then) if r["known_at"] <= now] == until_now


def test_every_query_over_flights_has_a_slow_twin(flights_queries: Mapping[str, str]) -> None:
    over_flights = {n for n, query in flights_queries.items() if "FROM flights" in query}
    assert over_flights == set(TWINS)


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_sampled_rows_of_the_whole_year_are_what_the_slow_computation_gives(
    name: str, flights_queries: Mapping[str, str], flights_database: duckdb.DuckDBPyConnection
) -> None:
    twin = TWINS[name]
    every = f"SELECT *, row_number() OVER (ORDER BY known_at, {twin.keys[0]}) AS n FROM query"
    sampled = flights_database.sql(
        f"WITH query AS ({flights_queries[name]}), numbered AS ({every}) "
        "SELECT * EXCLUDE (n) FROM numbered WHERE n % 29_989 = 1"
    ).to_arrow_table()
    assert sampled.num_rows >= 10
    for row in sampled.to_pylist():
        key, now = {k: row[k] for k in twin.keys}, row["known_at"].astimezone(UTC)
        flights = flights_around(flights_database, key, now)
        assert row == {**key, "known_at": now, **twin.row(flights, now)}


def flights_around(connection: duckdb.DuckDBPyConnection, key: Row, now: datetime) -> list[Flight]:
    """The flights of a key due in the 35 days before `now` or the day after."""
    same = " AND ".join(f"{column} = ?" for column in key)
    found = connection.sql(
        f"SELECT {', '.join(SCHEMA.names)} FROM flights "
        f"WHERE {same} AND sched_dep_at BETWEEN ? AND ?",
        params=[*key.values(), now - 35 * 24 * HOUR, now + 24 * HOUR],
    )
    return [Flight(**row) for row in found.to_arrow_table().to_pylist()]


def test_no_query_gives_two_rows_of_one_key_and_time(
    flights_queries: Mapping[str, str], flights_database: duckdb.DuckDBPyConnection
) -> None:
    for name, twin in TWINS.items():
        keys = ", ".join((*twin.keys, "known_at"))
        twice = flights_database.sql(
            f"SELECT 1 FROM ({flights_queries[name]}) GROUP BY {keys} HAVING COUNT(*) > 1"
        )
        assert twice.fetchall() == []
