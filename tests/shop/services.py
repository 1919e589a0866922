"""What the shop's models and pages read."""

from couriers.deliveries import courier_deliveries
from customers.affinity import customer_product
from customers.basket import basket
from customers.clicks import customer_clicks
from customers.orders import customer_orders
from customers.profile import customer_profile
from customers.returns import customer_returns
from customers.risk import risk
from feast import FeatureService
from products.catalogue import product_catalogue
from products.sales import product_sales
from products.stock import product_stock
from stores.place import store_place
from stores.traffic import store_traffic

from fieldhouse import governed

PRODUCTION = governed(owner="models@shop.example", state="production")

checkout = FeatureService(
    name="checkout",
    description="For the model that stops fraud.",
    features=[
        customer_orders[["orders_7d", "spend_7d", "spend_30d"]],
        customer_returns,
        customer_profile[["country", "tier"]],
        risk,
    ],
    tags=PRODUCTION,
)
recommend = FeatureService(
    name="recommend",
    description="For the page of recommendations.",
    features=[product_sales, product_catalogue, customer_product, customer_clicks, basket],
    tags=PRODUCTION,
)
dispatch = FeatureService(
    name="dispatch",
    description="For planning tours.",
    features=[courier_deliveries, store_traffic, store_place, product_stock],
    tags=PRODUCTION,
)
