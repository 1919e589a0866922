"""Warehouse tables by logical name; where they lie is configuration."""

from feast import FileSource

weather = FileSource(
    name="weather",
    path="weather.parquet",
    timestamp_field="observed_at",
    created_timestamp_column="available_at",
    description="Hourly weather at the three airports; known when its hour has ended.",
)
planes = FileSource(
    name="planes",
    path="planes.parquet",
    timestamp_field="known_from",
    description="The register of aircraft, as of the start of 2013.",
)
