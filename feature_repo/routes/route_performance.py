"""How long a route is and how punctual its flights have been. Its key is two airports."""

from datetime import timedelta

from entities import ROUTE
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, expect, governed

outcomes_of_route = SqlSource(
    name="outcomes_of_route",
    timestamp_field="known_at",
    query="""
        WITH outcomes AS (
          SELECT origin, dest, outcome_known_at AS known_at, COUNT(*) AS flights,
                 COUNT(arr_delay) AS landed, COALESCE(SUM(arr_delay), 0) AS delay,
                 SUM(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) AS late,
                 SUM(CASE WHEN cancelled THEN 1 ELSE 0 END) AS cancelled,
                 COALESCE(SUM(air_time), 0) AS air_time, MAX(distance) AS distance
          FROM flights
          GROUP BY origin, dest, outcome_known_at
        )
        SELECT
          origin,
          dest,
          known_at,
          CAST(distance AS BIGINT) AS distance,
          SUM(air_time) OVER days_30 / NULLIF(SUM(landed) OVER days_30, 0) AS mean_air_time_30d,
          SUM(delay) OVER hours_24 / NULLIF(SUM(landed) OVER hours_24, 0)
            AS mean_arrival_delay_24h,
          SUM(delay) OVER days_7 / NULLIF(SUM(landed) OVER days_7, 0) AS mean_arrival_delay_7d,
          SUM(late) OVER days_30 / NULLIF(SUM(landed) OVER days_30, 0) AS late_rate_30d,
          SUM(cancelled) OVER days_30 / SUM(flights) OVER days_30 AS cancel_rate_30d,
          CAST(SUM(flights) OVER days_30 AS BIGINT) AS flights_30d
        FROM outcomes
        WINDOW
          hours_24 AS (PARTITION BY origin, dest ORDER BY known_at
                       RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW),
          days_7 AS (PARTITION BY origin, dest ORDER BY known_at
                     RANGE BETWEEN INTERVAL 168 HOUR PRECEDING AND CURRENT ROW),
          days_30 AS (PARTITION BY origin, dest ORDER BY known_at
                      RANGE BETWEEN INTERVAL 720 HOUR PRECEDING AND CURRENT ROW)
    """,
)

route_performance = FeatureView(
    name="route_performance",
    description="The length of a route and the outcomes of its flights over the last days.",
    entities=ROUTE,
    source=outcomes_of_route,
    ttl=timedelta(days=7),
    tags=governed(
        owner="network@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("origin"),
            expect.not_null("dest"),
            expect.unique_together(["origin", "dest", "known_at"]),
            expect.between("distance", 10, 6000),
            expect.between("mean_air_time_30d", 15, 800),
            expect.between("late_rate_30d", 0, 1),
            expect.between("cancel_rate_30d", 0, 1),
        ],
    ),
    schema=[
        Field(name="origin", dtype=String),
        Field(name="dest", dtype=String),
        Field(
            name="distance",
            dtype=Int64,
            description="Distance between the two airports.",
            tags=governed(unit="mile"),
        ),
        Field(
            name="mean_air_time_30d",
            dtype=Float64,
            description="Mean time in the air of the route's landings of the last 30 days.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="mean_arrival_delay_24h",
            dtype=Float64,
            description="Mean arrival delay of the route's landings of the last 24 hours.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="mean_arrival_delay_7d",
            dtype=Float64,
            description="Mean arrival delay of the route's landings of the last 7 days.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="late_rate_30d",
            dtype=Float64,
            description="Share of the route's landings in 30 days over 15 minutes late.",
            tags=governed(unit="1"),
        ),
        Field(
            name="cancel_rate_30d",
            dtype=Float64,
            description="Share of the route's flights in 30 days that were cancelled.",
            tags=governed(unit="1"),
        ),
        Field(
            name="flights_30d",
            dtype=Int64,
            description="Flights on the route in 30 days, cancelled ones included.",
            tags=governed(unit="flight"),
        ),
    ],
)
