"""What is left of a product."""

from datetime import timedelta

from entities import product
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

stock_of_product = SqlSource(
    name="stock_of_product",
    timestamp_field="counted_at",
    created_timestamp_column="entered_at",
    query="""
        SELECT s.product_id, s.counted_at, s.entered_at,
               s.on_hand, s.reserved, s.on_hand - s.reserved AS free,
               s.on_hand / NULLIF(d.mean_daily, 0) AS days_of_cover
        FROM stock s
        LEFT JOIN (
          SELECT product_id, AVG(units) AS mean_daily FROM daily_units GROUP BY product_id
        ) d ON d.product_id = s.product_id
        WHERE s.warehouse = 'central'
    """,
)

product_stock = FeatureView(
    name="product_stock",
    description="The product in the central warehouse.",
    entities=[product],
    source=stock_of_product,
    ttl=timedelta(days=1),
    tags=governed(owner="logistics@shop.example", state="production", unit="1"),
    schema=[
        Field(name="on_hand", dtype=Int64, description="Pieces there."),
        Field(name="reserved", dtype=Int64, description="Pieces promised."),
        Field(name="free", dtype=Int64, description="Pieces that can be sold."),
        Field(name="days_of_cover", dtype=Float64, description="How long it lasts."),
    ],
)
