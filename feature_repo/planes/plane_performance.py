"""How punctual a plane's flights from New York have been."""

from datetime import timedelta

from entities import plane
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, expect, governed

outcomes_of_plane = SqlSource(
    name="outcomes_of_plane",
    timestamp_field="known_at",
    query="""
        WITH outcomes AS (
          SELECT tailnum, outcome_known_at AS known_at, COUNT(*) AS flights,
                 COUNT(arr_delay) AS landed, MAX(arr_delay) AS last_delay,
                 COALESCE(SUM(arr_delay), 0) AS delay,
                 SUM(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) AS late
          FROM flights
          WHERE tailnum IS NOT NULL
          GROUP BY tailnum, outcome_known_at
        )
        SELECT
          tailnum,
          known_at,
          CAST(last_delay AS BIGINT) AS last_arrival_delay,
          SUM(delay) OVER days_7 / NULLIF(SUM(landed) OVER days_7, 0) AS mean_arrival_delay_7d,
          SUM(late) OVER days_30 / NULLIF(SUM(landed) OVER days_30, 0) AS late_rate_30d,
          CAST(SUM(flights) OVER days_7 AS BIGINT) AS flights_7d
        FROM outcomes
        WINDOW
          days_7 AS (PARTITION BY tailnum ORDER BY known_at
                     RANGE BETWEEN INTERVAL 168 HOUR PRECEDING AND CURRENT ROW),
          days_30 AS (PARTITION BY tailnum ORDER BY known_at
                      RANGE BETWEEN INTERVAL 720 HOUR PRECEDING AND CURRENT ROW)
    """,
)

plane_performance = FeatureView(
    name="plane_performance",
    description="Outcomes of the plane's flights from New York over the last days.",
    entities=[plane],
    source=outcomes_of_plane,
    ttl=timedelta(days=7),
    tags=governed(
        owner="fleet@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("tailnum"),
            expect.unique_together(["tailnum", "known_at"]),
            expect.between("late_rate_30d", 0, 1),
            expect.between("flights_7d", 1, 100),
        ],
    ),
    schema=[
        Field(name="tailnum", dtype=String),
        Field(
            name="last_arrival_delay",
            dtype=Int64,
            description="Arrival delay of the latest flight; null if cancelled or diverted.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="mean_arrival_delay_7d",
            dtype=Float64,
            description="Mean arrival delay of the plane's flights of the last 7 days.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="late_rate_30d",
            dtype=Float64,
            description="Share of the plane's landings in 30 days over 15 minutes late.",
            tags=governed(unit="1"),
        ),
        Field(
            name="flights_7d",
            dtype=Int64,
            description="The plane's flights from New York in 7 days, cancelled ones included.",
            tags=governed(unit="flight"),
        ),
    ],
)
