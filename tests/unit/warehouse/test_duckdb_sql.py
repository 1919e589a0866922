"""The SQL of a join as text, kept as snapshots so that a changed join is read in review.

`UPDATE_SNAPSHOTS=1 pytest tests/unit/warehouse/test_duckdb_sql.py` writes them anew.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from registry.testing import feature, view
from tests.warehouses import INSTANT, hour, source
from warehouse.asof import AsOfPlan, plan_as_of
from warehouse.engines import duckdb_sql as sql
from warehouse.engines.parts import Bounds

KEPT = Path(__file__).parents[2] / "snapshots" / "asof"
SCHEMA = pa.schema(
    {"id": pa.int32(), "name": pa.string(), "at": pa.timestamp("us"), "known_at": INSTANT}
    | {"x": pa.float32(), 'we"ird': pa.list_(pa.int64())}
)
KEYS = {"id": "int64", "name": "string"}
FEATURES = [feature("x"), feature('we"ird', "list<int64>")]


def plan(
    created: bool,
    as_of: bool = False,
    spine: pa.DataType = INSTANT,
    keys: Mapping[str, str] = KEYS,
) -> AsOfPlan:
    past = view("past", FEATURES, keys, source("past", created=created), ttl_seconds=3600)
    return plan_as_of(past, ["x"], SCHEMA, spine, hour(1) if as_of else None)


def script(plan: AsOfPlan, zone: str = "UTC", one_key: bool = False) -> str:
    relation = sql.parquet_relation(["/warehouse/past.parquet"], SCHEMA, zone)
    least = {"least": 5, "greatest": 9} if one_key else {}
    bounds = Bounds(latest=3_600_000_000_000_000, earliest=0, **least)
    steps = [
        sql.first_event(plan, relation),
        sql.scan(plan, relation, bounds),
        sql.make_tied_history(plan, relation, bounds),
        sql.keep_tied(plan, relation),
        sql.drop_losers(),
        sql.winners_of_ties(plan, bounds),
        sql.fetch(relation, plan.features),
        sql.make_history(plan, relation),
        sql.find_tie(plan),
        sql.newest(plan, 0, 3_600_000_000),
    ]
    return ";\n\n".join(steps) + ";\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", script(plan(created=False))),
        ("one_integer_key", script(plan(created=False, keys={"id": "int64"}), one_key=True)),
        ("created", script(plan(created=True))),
        ("as_of", script(plan(created=True, as_of=True))),
        ("nanoseconds_in_zone", script(plan(False, spine=pa.timestamp("ns")), "Europe/Berlin")),
    ],
)
def test_the_text_of_a_join_is_the_one_reviewed(name: str, text: str) -> None:
    file = KEPT / f"{name}.sql"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_names_and_texts_are_quoted() -> None:
    assert sql.quote('a"b') == '"a""b"'
    assert sql.literal("it's") == "'it''s'"


def test_nested_types_have_nested_sql() -> None:
    assert sql.sql_type("list<list<int32>>") == "INTEGER[][]"
