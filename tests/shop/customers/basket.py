"""What is in the basket, computed when asked."""

from customers.orders import customer_orders
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Bool, Float64, Int64
from lib.money import rounded, with_vat
from products.catalogue import product_catalogue

from fieldhouse import governed

asked = RequestSource(name="asked", schema=[Field(name="quantity", dtype=Int64)])
BIG = 200.0


@on_demand_feature_view(
    sources=[customer_orders, product_catalogue, asked],
    mode="python",
    schema=[
        Field(name="basket_value", dtype=Float64, description="What the basket costs."),
        Field(name="relative_price", dtype=Float64, description="Price over the usual basket."),
        Field(name="is_big", dtype=Bool, description="Whether it is a big basket."),
    ],
    tags=governed(owner="sales@shop.example", state="production", unit="1"),
)
def basket(inputs):
    """Prices with tax."""
    values = []
    for price, count in zip(inputs["list_price"], inputs["quantity"], strict=True):
        gross = with_vat(price)
        values.append(None if gross is None else gross * count)
    relative = [
        None if mean is None or price is None else rounded(price / mean)
        for price, mean in zip(inputs["list_price"], inputs["mean_basket_30d"], strict=True)
    ]
    return {
        "basket_value": values,
        "relative_price": relative,
        "is_big": [value is not None and value > BIG for value in values],
    }
