"""How punctual and reliable a carrier's flights from New York have been."""

from datetime import timedelta

from entities import carrier
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, expect, governed

outcomes_of_carrier = SqlSource(
    name="outcomes_of_carrier",
    timestamp_field="known_at",
    query="""
        WITH outcomes AS (
          SELECT carrier, outcome_known_at AS known_at, COUNT(*) AS flights,
                 COUNT(arr_delay) AS landed, COALESCE(SUM(arr_delay), 0) AS delay,
                 SUM(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) AS late,
                 SUM(CASE WHEN cancelled THEN 1 ELSE 0 END) AS cancelled
          FROM flights
          GROUP BY carrier, outcome_known_at
        )
        SELECT
          carrier,
          known_at,
          SUM(delay) OVER hours_24 / NULLIF(SUM(landed) OVER hours_24, 0)
            AS mean_arrival_delay_24h,
          SUM(delay) OVER days_7 / NULLIF(SUM(landed) OVER days_7, 0) AS mean_arrival_delay_7d,
          SUM(late) OVER days_30 / NULLIF(SUM(landed) OVER days_30, 0) AS late_rate_30d,
          SUM(cancelled) OVER days_30 / SUM(flights) OVER days_30 AS cancel_rate_30d,
          CAST(SUM(flights) OVER days_7 AS BIGINT) AS flights_7d
        FROM outcomes
        WINDOW
          hours_24 AS (PARTITION BY carrier ORDER BY known_at
                       RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW),
          days_7 AS (PARTITION BY carrier ORDER BY known_at
                     RANGE BETWEEN INTERVAL 168 HOUR PRECEDING AND CURRENT ROW),
          days_30 AS (PARTITION BY carrier ORDER BY known_at
                      RANGE BETWEEN INTERVAL 720 HOUR PRECEDING AND CURRENT ROW)
    """,
)

carrier_performance = FeatureView(
    name="carrier_performance",
    description="Outcomes of the carrier's flights from New York over the last days.",
    entities=[carrier],
    source=outcomes_of_carrier,
    ttl=timedelta(days=2),
    tags=governed(
        owner="operations@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("carrier"),
            expect.unique_together(["carrier", "known_at"]),
            expect.between("late_rate_30d", 0, 1),
            expect.between("cancel_rate_30d", 0, 1),
            expect.between("flights_7d", 1, 2000),
        ],
    ),
    schema=[
        Field(name="carrier", dtype=String),
        Field(
            name="mean_arrival_delay_24h",
            dtype=Float64,
            description="Mean arrival delay of the carrier's landings of the last 24 hours.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="mean_arrival_delay_7d",
            dtype=Float64,
            description="Mean arrival delay of the carrier's landings of the last 7 days.",
            tags=governed(unit="minute"),
        ),
        Field(
            name="late_rate_30d",
            dtype=Float64,
            description="Share of the carrier's landings in 30 days over 15 minutes late.",
            tags=governed(unit="1"),
        ),
        Field(
            name="cancel_rate_30d",
            dtype=Float64,
            description="Share of the carrier's flights in 30 days that were cancelled.",
            tags=governed(unit="1"),
        ),
        Field(
            name="flights_7d",
            dtype=Int64,
            description="The carrier's flights from New York in 7 days, cancelled ones included.",
            tags=governed(unit="flight"),
        ),
    ],
)
