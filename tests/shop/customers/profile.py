"""What a customer told us."""

from datetime import timedelta

from entities import customer
from feast import FeatureView, Field, FileSource
from feast.types import Bool, Int64, String

from fieldhouse import governed

customers = FileSource(
    name="customers",
    path="customers",
    timestamp_field="changed_at",
    created_timestamp_column="loaded_at",
)

customer_profile = FeatureView(
    name="customer_profile",
    description="The customer's own words.",
    entities=[customer],
    source=customers,
    ttl=timedelta(days=3650),
    tags=governed(owner="crm@shop.example", state="production", unit="1", sensitivity="personal"),
    schema=[
        Field(name="country", dtype=String, description="Where bills go."),
        Field(name="signup_channel", dtype=String, description="How the account came about."),
        Field(name="birth_year", dtype=Int64, description="Year of birth, where told."),
        Field(name="newsletter", dtype=Bool, description="Whether mail is welcome."),
        Field(
            name="tier",
            dtype=String,
            description="Loyalty tier.",
            tags=governed(default="basic", staleness="default"),
        ),
    ],
)
