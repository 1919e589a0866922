"""Counts of what the example's data hold and lack, taken from a built warehouse. Changes nothing.

python -m fieldhouse.demo.facts        # builds the warehouse first where there is none
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb

from fieldhouse.demo import event_times
from fieldhouse.demo.flights import build_warehouse

# Each fact in words, and the query that counts it. docs/data.md shows them; a test compares.
FACTS: Mapping[str, str] = {
    "flights": "SELECT COUNT(*) FROM flights",
    "flights that landed (the spine)": "SELECT COUNT(arr_delay) FROM flights",
    "of these, more than 15 minutes late": "SELECT COUNT(*) FROM flights WHERE arr_delay > 15",
    "cancelled flights": "SELECT COUNT(*) FROM flights WHERE cancelled",
    "diverted flights": "SELECT COUNT(*) FROM flights WHERE diverted",
    "flights without a tail number, all cancelled": """
        SELECT COUNT(*) FROM flights WHERE tailnum IS NULL AND cancelled""",
    "tail numbers that fly": "SELECT COUNT(DISTINCT tailnum) FROM flights",
    "tail numbers missing from planes": """
        SELECT COUNT(DISTINCT tailnum) FROM flights ANTI JOIN planes USING (tailnum)""",
    "flights of these tail numbers": """
        SELECT COUNT(tailnum) FROM flights ANTI JOIN planes USING (tailnum)""",
    "destinations": "SELECT COUNT(DISTINCT dest) FROM flights",
    "destinations missing from airports": """
        SELECT COUNT(DISTINCT dest) FROM flights ANTI JOIN airports ON airport = dest""",
    "flights to these destinations": """
        SELECT COUNT(*) FROM flights ANTI JOIN airports ON airport = dest""",
    "landings earlier than departure plus time in the air": """
        SELECT COUNT(*) FROM flights WHERE arr_at < dep_at + to_minutes(air_time)""",
    "landings that differ from scheduled arrival plus delay": """
        SELECT COUNT(*) FROM flights WHERE arr_at <> sched_arr_at + to_minutes(arr_delay)""",
    "hours of weather": "SELECT COUNT(*) FROM weather",
    "landed flights without weather of the last six hours": """
        SELECT COUNT(*) FROM flights f
        WHERE arr_delay IS NOT NULL AND NOT EXISTS (
          FROM weather w
          WHERE w.origin = f.origin
            AND available_at <= sched_dep_at - INTERVAL 2 HOUR
            AND observed_at >= sched_dep_at - INTERVAL 8 HOUR)""",
}


def count_facts(root: Path) -> Mapping[str, int]:
    """Each of `FACTS` counted over the warehouse in `root`, which `build_warehouse` made."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in event_times.TABLES:
            connection.register(table, connection.read_parquet(str(root / f"{table}.parquet")))
        return {fact: _count(connection, query) for fact, query in FACTS.items()}


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((count,),) = connection.sql(query).fetchall()
    return int(count)


def facts_table(facts: Mapping[str, int]) -> str:
    """The facts as lines of a Markdown table."""
    lines = [f"| {fact} | {count:,} |" for fact, count in facts.items()]
    return "\n".join(["| What | Count |", "| --- | ---: |", *lines])


def main() -> None:
    """Print the facts of the project's warehouse, building it where it is missing."""
    from registry.kernel.settings import read_settings
    from warehouse.settings import ROOT

    root = read_settings(Path.cwd()).path(ROOT)
    build_warehouse(root)
    sys.stdout.write(facts_table(count_facts(root)) + "\n")


if __name__ == "__main__":
    main()
