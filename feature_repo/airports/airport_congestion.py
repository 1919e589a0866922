"""How late and how full the airport of departure is at this moment."""

from datetime import timedelta

from entities import origin_airport
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, expect, governed

# A departure is known when it happens. That a flight is overdue is known from its scheduled time
# until it leaves. Since the data do not say when a flight was cancelled, one that never leaves
# counts as overdue for three hours.
departures_at_airport = SqlSource(
    name="departures_at_airport",
    timestamp_field="known_at",
    query="""
        WITH events AS (
          SELECT origin, dep_at AS known_at, 1 AS departures, dep_delay AS delay,
                 CASE WHEN dep_delay > 15 THEN 1 ELSE 0 END AS late, 0 AS overdue
          FROM flights
          WHERE dep_at IS NOT NULL
          UNION ALL
          SELECT origin, sched_dep_at, 0, 0, 0, 1
          FROM flights
          WHERE dep_at IS NULL OR dep_at > sched_dep_at
          UNION ALL
          SELECT origin,
                 LEAST(COALESCE(dep_at, sched_dep_at + INTERVAL 3 HOUR),
                       sched_dep_at + INTERVAL 3 HOUR), 0, 0, 0, -1
          FROM flights
          WHERE dep_at IS NULL OR dep_at > sched_dep_at
        ),
        moments AS (
          SELECT origin, known_at, SUM(departures) AS departures, SUM(delay) AS delay,
                 SUM(late) AS late, SUM(overdue) AS overdue
          FROM events
          GROUP BY origin, known_at
        )
        SELECT
          origin,
          known_at,
          CAST(SUM(departures) OVER hours_2 AS BIGINT) AS departures_2h,
          SUM(delay) OVER hours_2 / NULLIF(SUM(departures) OVER hours_2, 0)
            AS mean_departure_delay_2h,
          SUM(late) OVER hours_2 / NULLIF(SUM(departures) OVER hours_2, 0)
            AS late_departure_rate_2h,
          SUM(late) OVER hours_24 / NULLIF(SUM(departures) OVER hours_24, 0)
            AS late_departure_rate_24h,
          CAST(SUM(overdue) OVER so_far AS BIGINT) AS overdue_flights
        FROM moments
        WINDOW
          hours_2 AS (PARTITION BY origin ORDER BY known_at
                      RANGE BETWEEN INTERVAL 2 HOUR PRECEDING AND CURRENT ROW),
          hours_24 AS (PARTITION BY origin ORDER BY known_at
                       RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW),
          so_far AS (PARTITION BY origin ORDER BY known_at
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    """,
)

airport_congestion = FeatureView(
    name="airport_congestion",
    description="Departures of the last hours at the airport of departure, and flights overdue.",
    entities=[origin_airport],
    source=departures_at_airport,
    ttl=timedelta(hours=3),
    tags=governed(
        owner="operations@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("origin"),
            expect.unique_together(["origin", "known_at"]),
            expect.between("departures_2h", 0, 150),
            expect.between("late_departure_rate_2h", 0, 1),
            expect.between("late_departure_rate_24h", 0, 1),
            expect.between("overdue_flights", 0, 250),
        ],
    ),
    schema=[
        Field(name="origin", dtype=String),
        Field(
            name="departures_2h",
            dtype=Int64,
            description="Flights that left the airport in the last 2 hours.",
            tags=governed(unit="flight"),
        ),
        Field(
            name="mean_departure_delay_2h",
            dtype=Float64,
            description="Mean delay of the flights that left in the last 2 hours.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="late_departure_rate_2h",
            dtype=Float64,
            description="Share of departures of the last 2 hours that were over 15 minutes late.",
            tags=governed(unit="1"),
        ),
        Field(
            name="late_departure_rate_24h",
            dtype=Float64,
            description="Share of departures of the last 24 hours that were over 15 minutes late.",
            tags=governed(unit="1"),
        ),
        Field(
            name="overdue_flights",
            dtype=Int64,
            description="Flights due in the last 3 hours that have not left.",
            tags=governed(unit="flight"),
        ),
    ],
)
