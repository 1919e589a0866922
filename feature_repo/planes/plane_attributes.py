"""What the register of aircraft says about a plane. It lacks 721 of the tail numbers that fly."""

from entities import plane
from feast import FeatureView, Field
from feast.types import Int32, String
from sources import planes

from fieldhouse import expect, governed

plane_attributes = FeatureView(
    name="plane_attributes",
    description="The make of a plane, from the register of aircraft.",
    entities=[plane],
    source=planes,
    ttl=None,
    tags=governed(
        owner="fleet@flights.example",
        state="production",
        sensitivity="public",
        expectations=[
            expect.not_null("tailnum"),
            expect.unique("tailnum"),
            expect.between("year_built", 1950, 2013),
            expect.between("seats", 1, 500),
            expect.between("engines", 1, 4),
        ],
    ),
    schema=[
        Field(name="tailnum", dtype=String),
        Field(
            name="year_built",
            dtype=Int32,
            description="Year in which the plane was made.",
            tags=governed(unit="year"),
        ),
        Field(
            name="seats",
            dtype=Int32,
            description="Number of seats.",
            tags=governed(unit="seat"),
        ),
        Field(
            name="engines",
            dtype=Int32,
            description="Number of engines.",
            tags=governed(unit="engine"),
        ),
        Field(
            name="manufacturer",
            dtype=String,
            description="Who made the plane, as registered.",
            tags=governed(unit="1"),
        ),
        Field(
            name="model",
            dtype=String,
            description="The maker's name of the model.",
            tags=governed(unit="1"),
        ),
        Field(
            name="engine_type",
            dtype=String,
            description="Kind of engine, such as Turbo-fan.",
            tags=governed(unit="1"),
        ),
    ],
)
