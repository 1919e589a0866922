"""Where a store is."""

from datetime import timedelta

from entities import store
from feast import FeatureView, Field, FileSource
from feast.types import Float64, Int64

from fieldhouse import governed

stores = FileSource(name="stores", path="stores", timestamp_field="valid_from")

store_place = FeatureView(
    name="store_place",
    description="The store on the map.",
    entities=[store],
    source=stores,
    ttl=timedelta(days=4000),
    tags=governed(owner="stores@shop.example", state="production", unit="degree"),
    schema=[
        Field(name="latitude", dtype=Float64, description="North."),
        Field(name="longitude", dtype=Float64, description="East."),
        Field(
            name="square_meters",
            dtype=Float64,
            description="Floor.",
            tags=governed(unit="square meter"),
        ),
        Field(name="opened_year", dtype=Int64, description="Year.", tags=governed(unit="year")),
    ],
)
