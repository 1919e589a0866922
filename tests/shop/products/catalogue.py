"""What the catalogue says of a product."""

from datetime import timedelta

from entities import product
from feast import FeatureView, Field, FileSource
from feast.types import Bool, Float64, String

from fieldhouse import governed

catalogue = FileSource(
    name="catalogue",
    path="catalogue",
    timestamp_field="valid_from",
    field_mapping={"cat": "category", "wgt": "weight_kg"},
)

product_catalogue = FeatureView(
    name="product_catalogue",
    description="The product's page in the catalogue.",
    entities=[product],
    source=catalogue,
    ttl=timedelta(days=400),
    tags=governed(owner="catalogue@shop.example", state="production", unit="1"),
    schema=[
        Field(name="category", dtype=String, description="Shelf."),
        Field(name="brand", dtype=String, description="Maker."),
        Field(name="weight_kg", dtype=Float64, description="Weight in a parcel."),
        Field(name="list_price", dtype=Float64, description="Price without rebates."),
        Field(name="active", dtype=Bool, description="Whether it can be bought."),
    ],
)
