"""Who comes to a store."""

from datetime import timedelta

from entities import store
from feast import FeatureView, Field
from feast.types import Float64, Int64

from fieldhouse import SqlSource, governed

traffic = SqlSource(
    name="traffic",
    timestamp_field="day",
    query="""
        SELECT store_id, day,
               SUM(visitors) AS visitors_1d,
               SUM(buyers) / SUM(visitors) AS conversion_1d,
               SUM(staff_hours) AS staff_hours_1d,
               MAX(queue_minutes) AS longest_queue_1d,
               COUNT(DISTINCT door) AS doors_open_1d
        FROM store_hours
        WHERE NOT holiday
        GROUP BY ALL
    """,
)

store_traffic = FeatureView(
    name="store_traffic",
    description="The store's day.",
    entities=[store],
    source=traffic,
    ttl=timedelta(days=2),
    tags=governed(owner="stores@shop.example", state="production", unit="1"),
    schema=[
        Field(name="visitors_1d", dtype=Int64, description="People who came."),
        Field(name="conversion_1d", dtype=Float64, description="Share who bought."),
        Field(name="staff_hours_1d", dtype=Float64, description="Hours worked."),
        Field(name="longest_queue_1d", dtype=Float64, description="Longest wait."),
        Field(name="doors_open_1d", dtype=Int64, description="Doors in use."),
    ],
)
