"""Hourly weather at the airport of departure."""

from datetime import timedelta

from entities import origin_airport
from feast import FeatureView, Field
from feast.types import Float64, String
from sources import weather

from fieldhouse import expect, governed

airport_weather = FeatureView(
    name="airport_weather",
    description="The last full hour of weather observed at the airport of departure.",
    entities=[origin_airport],
    source=weather,
    ttl=timedelta(hours=6),
    tags=governed(
        owner="weather@flights.example",
        state="production",
        sensitivity="public",
        expectations=[
            expect.not_null("origin"),
            expect.in_set("origin", ["EWR", "JFK", "LGA"]),
            expect.unique_together(["origin", "observed_at"]),
            expect.between("temperature", -40, 120),
            expect.between("humidity", 0, 100),
            expect.between("wind_direction", 0, 360),
            expect.between("wind_speed", 0, 120, mostly=0.999),
            expect.between("visibility", 0, 10),
        ],
    ),
    schema=[
        Field(name="origin", dtype=String),
        Field(
            name="temperature",
            dtype=Float64,
            description="Air temperature.",
            tags=governed(unit="degree_fahrenheit"),
        ),
        Field(
            name="dew_point",
            dtype=Float64,
            description="Temperature at which the air would be saturated with water.",
            tags=governed(unit="degree_fahrenheit"),
        ),
        Field(
            name="humidity",
            dtype=Float64,
            description="Relative humidity.",
            tags=governed(unit="percent"),
        ),
        Field(
            name="wind_direction",
            dtype=Float64,
            description="Where the wind comes from, clockwise from north; null when it varies.",
            tags=governed(unit="degree"),
        ),
        Field(
            name="wind_speed",
            dtype=Float64,
            description="Mean wind speed.",
            tags=governed(unit="mile_per_hour"),
        ),
        Field(
            name="wind_gust",
            dtype=Float64,
            description="Speed of the strongest gust; null when no gust was reported.",
            tags=governed(unit="mile_per_hour"),
        ),
        Field(
            name="precipitation",
            dtype=Float64,
            description="Rain and melted snow of the hour.",
            tags=governed(unit="inch"),
        ),
        Field(
            name="pressure",
            dtype=Float64,
            description="Air pressure at sea level; null when it was not reported.",
            tags=governed(unit="millibar"),
        ),
        Field(
            name="visibility",
            dtype=Float64,
            description="How far one sees, at most ten miles.",
            tags=governed(unit="mile"),
        ),
    ],
)
