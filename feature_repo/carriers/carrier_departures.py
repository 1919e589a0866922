"""How late a carrier's flights are leaving New York at this moment."""

from datetime import timedelta

from entities import carrier
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, expect, governed

departures_of_carrier = SqlSource(
    name="departures_of_carrier",
    timestamp_field="known_at",
    query="""
        WITH departures AS (
          SELECT carrier, dep_at AS known_at, COUNT(*) AS departures, SUM(dep_delay) AS delay
          FROM flights
          WHERE dep_at IS NOT NULL
          GROUP BY carrier, dep_at
        )
        SELECT
          carrier,
          known_at,
          CAST(SUM(departures) OVER hours_2 AS BIGINT) AS departures_2h,
          SUM(delay) OVER hours_2 / SUM(departures) OVER hours_2 AS mean_departure_delay_2h
        FROM departures
        WINDOW hours_2 AS (PARTITION BY carrier ORDER BY known_at
                           RANGE BETWEEN INTERVAL 2 HOUR PRECEDING AND CURRENT ROW)
    """,
)

carrier_departures = FeatureView(
    name="carrier_departures",
    description="The carrier's departures from New York over the last two hours.",
    entities=[carrier],
    source=departures_of_carrier,
    ttl=timedelta(hours=3),
    tags=governed(
        owner="operations@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("carrier"),
            expect.unique_together(["carrier", "known_at"]),
            expect.between("departures_2h", 1, 150),
            expect.between("mean_departure_delay_2h", -120, 2000),
        ],
    ),
    schema=[
        Field(name="carrier", dtype=String),
        Field(
            name="departures_2h",
            dtype=Int64,
            description="The carrier's flights that left New York in the last 2 hours.",
            tags=governed(unit="flight"),
        ),
        Field(
            name="mean_departure_delay_2h",
            dtype=Float64,
            description="Mean delay of the carrier's departures of the last 2 hours.",
            tags=governed(unit="minute"),
        ),
    ],
)
