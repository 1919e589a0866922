"""Where a destination lies. Four airports that flights go to are missing from the table."""

from entities import destination_airport
from feast import FeatureView, Field
from feast.types import Float64, String

from fieldhouse import SqlSource, expect, governed

airport_places = SqlSource(
    name="airport_places",
    timestamp_field="known_from",
    query="""
        SELECT airport AS dest, known_from, latitude, longitude, elevation
        FROM airports
    """,
)

destination_place = FeatureView(
    name="destination_place",
    description="The place of a destination; nothing for BQN, PSE, SJU and STT.",
    entities=[destination_airport],
    source=airport_places,
    ttl=None,
    tags=governed(
        owner="operations@flights.example",
        state="production",
        sensitivity="public",
        expectations=[
            expect.not_null("dest"),
            expect.unique("dest"),
            expect.between("latitude", -90, 90),
            expect.between("longitude", -180, 180),
        ],
    ),
    schema=[
        Field(name="dest", dtype=String),
        Field(
            name="latitude",
            dtype=Float64,
            description="Degrees north of the equator.",
            tags=governed(unit="degree"),
        ),
        Field(
            name="longitude",
            dtype=Float64,
            description="Degrees east of Greenwich; negative in America.",
            tags=governed(unit="degree"),
        ),
        Field(
            name="elevation",
            dtype=Float64,
            description="Height of the airport above the sea.",
            tags=governed(unit="foot"),
        ),
    ],
)
