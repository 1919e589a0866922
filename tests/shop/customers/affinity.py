"""What a customer and a product have to do with each other."""

from datetime import timedelta

from entities import customer, product
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

affinity = SqlSource(
    name="affinity",
    timestamp_field="day",
    query="""
        SELECT customer_id, product_id, day,
               SUM(CASE WHEN kind = 'bought' THEN 1 ELSE 0 END) AS bought_1d,
               SUM(CASE WHEN kind = 'viewed' THEN 1 ELSE 0 END) AS viewed_1d,
               MAX(CASE WHEN kind = 'viewed' THEN seconds END) AS longest_look_1d
        FROM touches
        WHERE kind IN ('bought', 'viewed')
        GROUP BY customer_id, product_id, day
    """,
)

customer_product = FeatureView(
    name="customer_product",
    description="Touches of a product by a customer.",
    entities=[customer, product],
    source=affinity,
    ttl=timedelta(days=90),
    tags=governed(owner="web@shop.example", state="production", unit="1"),
    schema=[
        Field(name="bought_1d", dtype=Int64, description="Times bought."),
        Field(name="viewed_1d", dtype=Int64, description="Times looked at."),
        Field(
            name="longest_look_1d",
            dtype=Float64,
            description="Longest look.",
            tags=governed(unit="second"),
        ),
    ],
)
