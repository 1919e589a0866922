"""What a customer sent back."""

from datetime import timedelta

from entities import customer
from feast import FeatureView, Field
from feast.types import Float64, Int64, String

from fieldhouse import SqlSource, governed

returns_of_customer = SqlSource(
    name="returns_of_customer",
    timestamp_field="day",
    query="""
        SELECT
          o.customer_id AS customer_id,
          CAST(date_trunc('day', r.returned_at) AS TIMESTAMP) AS day,
          COUNT(r.return_id) AS returns_1d,
          COUNT(r.return_id) / COUNT(DISTINCT o.order_id) AS return_rate_1d,
          SUM(r.refund) AS refunded_1d,
          arg_max(r.reason, r.returned_at) AS last_return_reason
        FROM orders AS o
        JOIN returns AS r ON r.order_id = o.order_id
        WHERE r.accepted
        GROUP BY o.customer_id, date_trunc('day', r.returned_at)
    """,
)

customer_returns = FeatureView(
    name="customer_returns",
    description="Accepted returns of the day.",
    entities=[customer],
    source=returns_of_customer,
    ttl=timedelta(days=2),
    tags=governed(owner="sales@shop.example", state="production", unit="1"),
    schema=[
        Field(name="returns_1d", dtype=Int64, description="Returns."),
        Field(name="return_rate_1d", dtype=Float64, description="Returns by order."),
        Field(name="refunded_1d", dtype=Float64, description="Money given back."),
        Field(name="last_return_reason", dtype=String, description="Why the last one came back."),
    ],
)
