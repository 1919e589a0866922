"""The rules that turn the flights' CSV files into instants, on files of a few lines."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fieldhouse.demo.flights import build_warehouse

HEAD = {
    "flights": "dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,"
    "air_time,distance,minute,time_hour",
    "weather": "origin,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,"
    "time_hour",
    "planes": "tailnum,year,type,manufacturer,model,engines,seats,engine",
    "airports": "faa,name,lat,lon,alt,tzone",
    "airlines": "carrier,name",
}
AIRPORTS = [
    "LAX,Los Angeles,33.9,-118.4,126,America/Los_Angeles",
    "BOS,Boston,42.3,-71.0,19,America/New_York",
]
Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Tables]:
    """Builds a warehouse from a few CSV lines and gives its tables as rows."""

    def make(**lines: list[str]) -> Tables:
        source = tmp_path / "csv"
        source.mkdir(exist_ok=True)
        for name, head in HEAD.items():
            content = lines.get(name, AIRPORTS if name == "airports" else [])
            (source / f"{name}.csv").write_text("\n".join([head, *content]) + "\n")
        root = tmp_path / "warehouse"
        rows = build_warehouse(root, source)
        return {table: pq.read_table(root / f"{table}.parquet").to_pylist() for table in rows}

    return make


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def only_flight(build: Callable[..., Tables], line: str) -> dict[str, Any]:
    (flight,) = build(flights=[line])["flights"]
    return flight


def test_a_landing_is_known_when_it_happens_by_the_clock_of_the_destination(
    build: Callable[..., Tables],
) -> None:
    flight = only_flight(build, "2,1042,1030,12,UA,1,N1,JFK,LAX,300,2475,30,2013-07-01T12:00:00Z")
    assert flight["sched_dep_at"] == utc(2013, 7, 1, 12, 30)
    assert flight["dep_at"] == utc(2013, 7, 1, 12, 32)
    assert flight["sched_arr_at"] == utc(2013, 7, 1, 17, 30)
    assert flight["arr_at"] == flight["outcome_known_at"] == utc(2013, 7, 1, 17, 42)


def test_a_landing_after_midnight_is_on_the_next_day(build: Callable[..., Tables]) -> None:
    flight = only_flight(build, "90,10,2240,90,B6,1,N1,JFK,BOS,45,187,30,2013-01-02T02:00:00Z")
    assert flight["sched_arr_at"] == utc(2013, 1, 2, 3, 40)
    assert flight["arr_at"] == utc(2013, 1, 2, 5, 10)


def test_2400_is_the_midnight_that_ends_a_day(build: Callable[..., Tables]) -> None:
    flight = only_flight(build, "0,2400,2359,1,B6,1,N1,JFK,BOS,45,187,0,2013-01-02T04:00:00Z")
    assert flight["arr_at"] == utc(2013, 1, 2, 5, 0)


@pytest.mark.parametrize("dest", ["BQN", "PSE", "SJU", "STT"])
def test_the_four_missing_airports_keep_atlantic_time(
    build: Callable[..., Tables], dest: str
) -> None:
    flight = only_flight(build, f"0,1700,1700,0,B6,1,N1,JFK,{dest},190,1598,0,2013-01-01T17:00:00Z")
    assert flight["arr_at"] == utc(2013, 1, 1, 21, 0)


def test_where_clock_and_delay_disagree_the_later_instant_counts(
    build: Callable[..., Tables],
) -> None:
    flight = only_flight(build, "0,1100,1000,75,UA,1,N1,JFK,LAX,340,2475,0,2013-01-01T12:00:00Z")
    assert flight["arr_at"] == utc(2013, 1, 1, 19, 15)


def test_a_landing_in_the_repeated_hour_is_taken_as_the_later_one(
    build: Callable[..., Tables],
) -> None:
    flight = only_flight(
        build, "322,114,2015,299,VX,413,N1,JFK,LAX,339,2475,55,2013-11-02T20:00:00Z"
    )
    assert flight["arr_at"] == utc(2013, 11, 3, 9, 14)


def test_a_cancelled_flight_is_known_a_day_after_it_was_due(build: Callable[..., Tables]) -> None:
    flight = only_flight(build, "NA,NA,1042,NA,UA,1,NA,JFK,LAX,NA,2475,30,2013-07-01T12:00:00Z")
    assert (flight["cancelled"], flight["diverted"]) == (True, False)
    assert (flight["dep_at"], flight["arr_at"], flight["tailnum"]) == (None, None, None)
    assert flight["outcome_known_at"] == utc(2013, 7, 2, 12, 30)


def test_a_diverted_flight_is_known_a_day_after_it_left_and_has_no_landing(
    build: Callable[..., Tables],
) -> None:
    flight = only_flight(build, "60,1800,1042,NA,UA,1,N1,JFK,LAX,NA,2475,30,2013-07-01T12:00:00Z")
    assert (flight["cancelled"], flight["diverted"], flight["arr_at"]) == (False, True, None)
    assert flight["outcome_known_at"] == utc(2013, 7, 2, 13, 30)


def test_a_landing_where_no_zone_is_known_counts_as_known_a_day_later(
    build: Callable[..., Tables],
) -> None:
    flight = only_flight(build, "0,1042,1030,12,UA,1,N1,JFK,XXX,340,2475,0,2013-07-01T12:00:00Z")
    assert flight["arr_at"] is None
    assert flight["outcome_known_at"] == utc(2013, 7, 2, 12, 0)


def test_weather_is_available_when_its_hour_has_ended(build: Callable[..., Tables]) -> None:
    (hour,) = build(weather=["JFK,39,26,59,270,10,NA,0,1012,10,2013-01-01T06:00:00Z"])["weather"]
    assert hour["observed_at"] == utc(2013, 1, 1, 6)
    assert hour["available_at"] == utc(2013, 1, 1, 7)
    assert hour["wind_gust"] is None


def test_both_of_the_repeated_hours_stay_and_the_last_line_of_one_hour_wins(
    build: Callable[..., Tables],
) -> None:
    rest = "26,59,270,10,NA,0,1012,10"
    lines = [
        f"JFK,52,{rest},2013-11-03T05:00:00Z",
        f"JFK,50,{rest},2013-11-03T06:00:00Z",
        f"JFK,49,{rest},2013-11-03T06:00:00Z",
    ]
    hours = build(weather=lines)["weather"]
    assert [(h["observed_at"].hour, h["temperature"]) for h in hours] == [(5, 52.0), (6, 49.0)]


def test_flights_are_numbered_by_their_line(build: Callable[..., Tables]) -> None:
    line = "0,1042,1030,12,UA,{},N1,JFK,LAX,340,2475,0,2013-07-0{}T12:00:00Z"
    flights = build(flights=[line.format(7, 2), line.format(5, 1)])["flights"]
    assert [(f["flight_id"], f["flight"]) for f in flights] == [(1, 7), (2, 5)]
