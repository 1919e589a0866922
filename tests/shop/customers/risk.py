"""How risky an order is, computed when asked."""

from customers.orders import customer_orders
from customers.returns import customer_returns
from feast import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Bool, Float64

from fieldhouse import governed

LIMIT = 0.5


@on_demand_feature_view(
    sources=[customer_orders, customer_returns],
    mode="pandas",
    schema=[
        Field(name="risk_score", dtype=Float64, description="Between 0 and 1."),
        Field(name="is_risky", dtype=Bool, description="Whether a person looks at it."),
    ],
    tags=governed(owner="risk@shop.example", state="production", unit="1"),
)
def risk(frame):
    result = frame[[]].copy()
    score = frame["return_rate_1d"].fillna(0) * frame["spend_7d"].clip(upper=1000) / 1000
    result["risk_score"] = score
    result["is_risky"] = score > LIMIT
    return result
