"""Who and what the shop knows."""

from feast import Entity, ValueType

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
product = Entity(name="product", join_keys=["product_id"], value_type=ValueType.INT64)
store = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)
courier = Entity(name="courier", join_keys=["courier_id"], value_type=ValueType.STRING)
