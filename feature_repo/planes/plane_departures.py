"""The plane's latest departure from New York, known as it leaves."""

from datetime import timedelta

from entities import plane
from feast import FeatureView, Field
from feast.types import Int64, String

from fieldhouse import SqlSource, expect, governed

departures_of_plane = SqlSource(
    name="departures_of_plane",
    timestamp_field="known_at",
    query="""
        SELECT tailnum, dep_at AS known_at,
               CAST(MAX(dep_delay) AS BIGINT) AS last_departure_delay
        FROM flights
        WHERE dep_at IS NOT NULL AND tailnum IS NOT NULL
        GROUP BY tailnum, dep_at
    """,
)

plane_departures = FeatureView(
    name="plane_departures",
    description="How late the plane last left New York, within a day.",
    entities=[plane],
    source=departures_of_plane,
    ttl=timedelta(hours=24),
    tags=governed(
        owner="fleet@flights.example",
        state="production",
        sensitivity="internal",
        expectations=[
            expect.not_null("tailnum"),
            expect.unique_together(["tailnum", "known_at"]),
            expect.between("last_departure_delay", -120, 2000),
        ],
    ),
    schema=[
        Field(name="tailnum", dtype=String),
        Field(
            name="last_departure_delay",
            dtype=Int64,
            description="Delay of the plane's latest departure from New York.",
            tags=governed(unit="minute"),
        ),
    ],
)
