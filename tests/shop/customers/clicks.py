"""What a customer does at this hour; pushed by the web shop."""

from datetime import timedelta

from entities import customer
from feast import FeatureView, Field, PushSource
from feast.types import Int64, String

from fieldhouse import SqlSource, governed

clicks_history = SqlSource(
    name="clicks_history",
    timestamp_field="seen_at",
    query="""
        SELECT customer_id, seen_at, clicks_1h, carts_1h, pages_1h, device AS last_device
        FROM click_hours
    """,
)
clicks = PushSource(name="clicks", batch_source=clicks_history)

customer_clicks = FeatureView(
    name="customer_clicks",
    description="The customer's last hour in the web shop.",
    entities=[customer],
    source=clicks,
    ttl=timedelta(hours=2),
    tags=governed(owner="web@shop.example", state="production", unit="1"),
    schema=[
        Field(name="clicks_1h", dtype=Int64, description="Clicks."),
        Field(name="carts_1h", dtype=Int64, description="Things put into the cart."),
        Field(name="pages_1h", dtype=Int64, description="Pages seen."),
        Field(name="last_device", dtype=String, description="Kind of device."),
    ],
)
