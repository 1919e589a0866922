"""The warehouse's settings. Nothing is read here."""

from registry.kernel.settings import Setting

ROOT = Setting("warehouse", "root", "warehouse_data", "the folder of the warehouse's Parquet files")
MEMORY_LIMIT = Setting(
    "warehouse", "memory_limit", "", "most memory a query may use, such as 4GB; then it spills"
)
THREADS = Setting("warehouse", "threads", 0, "threads of a query; 0 means one a core")
TIME_ZONE = Setting(
    "warehouse", "time_zone", "UTC", "the zone of times in the warehouse that carry none"
)
EVALUATED_BYTES = Setting(
    "warehouse",
    "evaluated_bytes",
    2 << 30,
    "how many bytes of queries' answers to keep, for as long as what they read stays the same",
)

TABLES_KEY = "tables"
"""`[warehouse.tables] name = "path or glob"`: where tables lie that are not under the root."""

SETTINGS = (ROOT, MEMORY_LIMIT, THREADS, TIME_ZONE, EVALUATED_BYTES)
