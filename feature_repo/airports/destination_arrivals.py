"""How late flights from New York have lately been on arrival at a destination."""

from datetime import timedelta

from entities import destination_airport
from feast import FeatureView, Field
from feast.types import Float64, String

from fieldhouse import SqlSource, expect, governed

outcomes_at_destination = SqlSource(
    name="outcomes_at_destination",
    timestamp_field="known_at",
    query="""
        WITH outcomes AS (
          SELECT dest, outcome_known_at AS known_at, COUNT(arr_delay) AS landed,
                 COALESCE(SUM(arr_delay), 0) AS delay,
                 SUM(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) AS late
          FROM flights
          GROUP BY dest, outcome_known_at
        )
        SELECT
          dest,
          known_at,
          SUM(delay) OVER hours_6 / NULLIF(SUM(landed) OVER hours_6, 0) AS mean_arrival_delay_6h,
          SUM(delay) OVER hours_24 / NULLIF(SUM(landed) OVER hours_24, 0)
            AS mean_arrival_delay_24h,
          SUM(late) OVER hours_24 / NULLIF(SUM(landed) OVER hours_24, 0) AS late_rate_24h
        FROM outcomes
        WINDOW
          hours_6 AS (PARTITION BY dest ORDER BY known_at
                      RANGE BETWEEN INTERVAL 6 HOUR PRECEDING AND CURRENT ROW),
          hours_24 AS (PARTITION BY dest ORDER BY known_at
                       RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW)
    """,
)

destination_arrivals = FeatureView(
    name="destination_arrivals",
    description="Arrivals from New York at a destination over the last hours.",
    entities=[destination_airport],
    source=outcomes_at_destination,
    ttl=timedelta(hours=24),
    tags=governed(
        owner="operations@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("dest"),
            expect.unique_together(["dest", "known_at"]),
            expect.between("mean_arrival_delay_24h", -120, 1500),
            expect.between("late_rate_24h", 0, 1),
        ],
    ),
    schema=[
        Field(name="dest", dtype=String),
        Field(
            name="mean_arrival_delay_6h",
            dtype=Float64,
            description="Mean arrival delay at the destination over the last 6 hours.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="mean_arrival_delay_24h",
            dtype=Float64,
            description="Mean arrival delay at the destination over the last 24 hours.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="late_rate_24h",
            dtype=Float64,
            description="Share of its landings in 24 hours that were over 15 minutes late.",
            tags=governed(unit="1"),
        ),
    ],
)
