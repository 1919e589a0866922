"""What a product sold."""

from datetime import timedelta

from entities import product
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

sales_of_product = SqlSource(
    name="sales_of_product",
    timestamp_field="day",
    query="""
        WITH days AS (
          SELECT product_id, CAST(sold_at AS DATE) AS d,
                 SUM(quantity) AS units, SUM(price * quantity) AS revenue,
                 AVG(price) AS price_mean, MIN(price) AS price_min, MAX(price) AS price_max
          FROM sales
          GROUP BY product_id, CAST(sold_at AS DATE)
        )
        SELECT
          product_id,
          CAST(d AS TIMESTAMP) + INTERVAL 1 DAY AS day,
          SUM(units) OVER w7 AS units_7d,
          SUM(units) OVER w30 AS units_30d,
          SUM(revenue) OVER w7 AS revenue_7d,
          SUM(revenue) OVER w30 AS revenue_30d,
          AVG(price_mean) OVER w7 AS price_mean_7d,
          MIN(price_min) OVER w30 AS price_min_30d,
          MAX(price_max) OVER w30 AS price_max_30d
        FROM days
        WINDOW w7 AS (PARTITION BY product_id ORDER BY d
                      RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW),
               w30 AS (PARTITION BY product_id ORDER BY d
                       RANGE BETWEEN INTERVAL 29 DAY PRECEDING AND CURRENT ROW)
    """,
)

product_sales = FeatureView(
    name="product_sales",
    description="Sales of the product over the last days.",
    entities=[product],
    source=sales_of_product,
    ttl=timedelta(days=3),
    tags=governed(owner="sales@shop.example", state="production", unit="1"),
    schema=[
        Field(name="units_7d", dtype=Int64, description="Pieces sold in 7 days."),
        Field(name="units_30d", dtype=Int64, description="Pieces sold in 30 days."),
        Field(name="revenue_7d", dtype=Float64, description="Money taken in 7 days."),
        Field(name="revenue_30d", dtype=Float64, description="Money taken in 30 days."),
        Field(name="price_mean_7d", dtype=Float64, description="Mean price of 7 days."),
        Field(name="price_min_30d", dtype=Float64, description="Lowest price of 30 days."),
        Field(name="price_max_30d", dtype=Float64, description="Highest price of 30 days."),
    ],
)
