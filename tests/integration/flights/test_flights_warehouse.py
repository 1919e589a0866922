"""The whole flights warehouse: its counts, its rules of time, and what docs/data.md says of it."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fieldhouse.demo.facts import count_facts, facts_table
from fieldhouse.demo.flights import build_warehouse
from fieldhouse.demo.spine import LABEL, TIME_COLUMN, spine_query, unlabelled_query

INSTANT = pa.timestamp("us", tz="UTC")


def count(connection: duckdb.DuckDBPyConnection, condition: str) -> int:
    ((found,),) = connection.sql(f"SELECT COUNT(*) FROM flights WHERE {condition}").fetchall()
    return int(found)


def test_every_row_of_the_files_is_there(flights_root: Path) -> None:
    expected = {
        "flights": 336_776,
        "weather": 26_115,
        "planes": 3_322,
        "airports": 1_458,
        "carriers": 16,
    }
    assert build_warehouse(flights_root) == expected


@pytest.mark.parametrize("table", ["flights", "weather", "planes", "airports", "carriers"])
def test_all_times_are_microseconds_in_utc(flights_root: Path, table: str) -> None:
    schema = pq.read_schema(flights_root / f"{table}.parquet")
    times = [field.type for field in schema if pa.types.is_timestamp(field.type)]
    assert times
    assert set(times) == {INSTANT}


def test_an_outcome_is_never_known_before_it_could_be(
    flights_database: duckdb.DuckDBPyConnection,
) -> None:
    assert count(flights_database, "outcome_known_at IS NULL") == 0
    assert count(flights_database, "outcome_known_at < dep_at + to_minutes(air_time)") == 0
    assert count(flights_database, "outcome_known_at < sched_arr_at + to_minutes(arr_delay)") == 0
    assert (
        count(
            flights_database,
            "arr_at IS NULL AND outcome_known_at < sched_dep_at + INTERVAL 24 HOUR",
        )
        == 0
    )


def test_a_landing_has_an_instant_exactly_when_it_has_a_delay(
    flights_database: duckdb.DuckDBPyConnection,
) -> None:
    assert count(flights_database, "(arr_at IS NULL) <> (arr_delay IS NULL)") == 0


def test_the_spine_holds_every_landed_flight_in_order(
    flights_database: duckdb.DuckDBPyConnection,
) -> None:
    spine = flights_database.sql(spine_query()).to_arrow_table()
    ids = spine["flight_id"].to_pylist()
    assert spine.num_rows == 327_346
    assert ids == sorted(set(ids))
    assert spine.schema.field(LABEL).type == pa.int32()
    assert sum(column.null_count for column in spine.columns) == 0
    assert sum(spine[LABEL].to_pylist()) == 77_630


def test_the_spine_looks_from_two_hours_before_scheduled_departure(
    flights_database: duckdb.DuckDBPyConnection,
) -> None:
    wrong = flights_database.sql(
        f"SELECT 1 FROM ({spine_query()}) JOIN flights f USING (flight_id) "
        f"WHERE {TIME_COLUMN} <> f.sched_dep_at - INTERVAL 2 HOUR OR {TIME_COLUMN} >= f.arr_at"
    )
    assert wrong.fetchall() == []


def test_the_flights_left_out_are_counted_by_reason(
    flights_database: duckdb.DuckDBPyConnection,
) -> None:
    assert flights_database.sql(unlabelled_query()).fetchall() == [
        ("cancelled", 8_255),
        ("diverted", 1_175),
    ]


def test_the_page_about_the_data_shows_the_counts_that_are_true(flights_root: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    assert facts_table(count_facts(flights_root)) in page
