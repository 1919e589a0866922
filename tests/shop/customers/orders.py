"""What a customer ordered lately."""

from datetime import timedelta

from entities import customer
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

orders_of_customer = SqlSource(
    name="orders_of_customer",
    timestamp_field="ordered_at",
    query="""
        WITH paid AS (
          SELECT customer_id, ordered_at, amount, quantity
          FROM orders
          WHERE status = 'paid' AND amount > 0
        )
        SELECT
          customer_id,
          ordered_at,
          COUNT(*) OVER week AS orders_7d,
          COUNT(*) OVER month AS orders_30d,
          SUM(amount) OVER week AS spend_7d,
          SUM(amount) OVER month AS spend_30d,
          SUM(amount) OVER month / NULLIF(COUNT(*) OVER month, 0) AS mean_basket_30d,
          MAX(amount) OVER quarter AS biggest_order_90d,
          SUM(quantity) OVER month AS items_30d
        FROM paid
        WINDOW
          week AS (PARTITION BY customer_id ORDER BY ordered_at
                   RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW),
          month AS (PARTITION BY customer_id ORDER BY ordered_at
                    RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW),
          quarter AS (PARTITION BY customer_id ORDER BY ordered_at
                      RANGE BETWEEN INTERVAL 90 DAY PRECEDING AND CURRENT ROW)
    """,
)

customer_orders = FeatureView(
    name="customer_orders",
    description="Paid orders of the customer over the last days.",
    entities=[customer],
    source=orders_of_customer,
    ttl=timedelta(days=30),
    tags=governed(owner="sales@shop.example", state="production", unit="euro"),
    schema=[
        Field(name="orders_7d", dtype=Int64, description="Orders in 7 days."),
        Field(name="orders_30d", dtype=Int64, description="Orders in 30 days."),
        Field(name="spend_7d", dtype=Float64, description="Money spent in 7 days."),
        Field(name="spend_30d", dtype=Float64, description="Money spent in 30 days."),
        Field(name="mean_basket_30d", dtype=Float64, description="Mean order in 30 days."),
        Field(name="biggest_order_90d", dtype=Float64, description="Biggest order in 90 days."),
        Field(name="items_30d", dtype=Int64, description="Items in 30 days."),
    ],
)
