"""How well a courier delivers."""

from datetime import timedelta

from entities import courier
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

deliveries_of_courier = SqlSource(
    name="deliveries_of_courier",
    timestamp_field="known_at",
    query="""
        SELECT
          t.courier_id,
          date_trunc('hour', t.done_at) + INTERVAL 1 HOUR AS known_at,
          COUNT(*) AS deliveries_1h,
          SUM(CASE WHEN t.minutes > p.promised THEN 1 ELSE 0 END) AS late_1h,
          AVG(t.minutes) AS mean_minutes_1h,
          SUM(t.kilometers) AS distance_1h,
          SUM(CASE WHEN t.failed THEN 1 ELSE 0 END) AS failed_1h,
          MAX(t.minutes - p.promised) AS worst_delay_1h
        FROM tours t
        INNER JOIN promises p ON p.parcel_id = t.parcel_id
        WHERE t.country = 'DE'
        GROUP BY 1, 2
    """,
)

courier_deliveries = FeatureView(
    name="courier_deliveries",
    description="The courier's last hour.",
    entities=[courier],
    source=deliveries_of_courier,
    ttl=timedelta(hours=6),
    tags=governed(owner="logistics@shop.example", state="production", unit="1"),
    schema=[
        Field(name="deliveries_1h", dtype=Int64, description="Parcels handed over."),
        Field(name="late_1h", dtype=Int64, description="Of them late."),
        Field(name="mean_minutes_1h", dtype=Float64, description="Mean time a parcel."),
        Field(name="distance_1h", dtype=Float64, description="Way gone."),
        Field(name="failed_1h", dtype=Int64, description="Nobody at home."),
        Field(name="worst_delay_1h", dtype=Float64, description="Latest parcel."),
    ],
)
