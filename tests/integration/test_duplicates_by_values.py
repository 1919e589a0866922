"""A copy that is computed another way is found by its values, through the command."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import Ran, write_files
from tests.warehouses import hours

BASE = """
    from datetime import timedelta
    from feast import Entity, FeatureView, Field, ValueType
    from feast.types import Float64
    from fieldhouse import SqlSource, governed

    thing = Entity(name="thing", join_keys=["id"], value_type=ValueType.INT64)

    def amounts(name, expression, feature):
        source = SqlSource(
            name=name,
            query=f"SELECT id, known_at, {expression} AS {feature} FROM orders",
            timestamp_field="known_at",
        )
        field = Field(name=feature, dtype=Float64, description="x", tags=governed(unit="1"))
        tags = governed(owner="ada@example.com", state="production")
        return FeatureView(
            name=name, entities=[thing], source=source, schema=[field], tags=tags, ttl=timedelta(9)
        )
"""


PYTHON = """
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from fieldhouse import governed

from parts import odd, rest

fields = [Field(name="price", dtype=Float64, description="x", tags=governed(unit="1"))]
extra = RequestSource(name="extra", schema=[Field(name="extra", dtype=Float64)])


@on_demand_feature_view(
    sources=[odd, rest], schema=fields, mode="python",
    tags=governed(owner="ada@example.com", state="production"),
)
def again(inputs):
    pairs = zip(inputs["odd"], inputs["rest"])
    return {"price": [None if a is None or b is None else a + b for a, b in pairs]}


@on_demand_feature_view(
    sources=[odd, extra],
    schema=[Field(name="more", dtype=Float64, description="x", tags=governed(unit="1"))],
    mode="python",
    tags=governed(owner="ada@example.com", state="production"),
)
def asks(inputs):
    return {"more": [a + b for a, b in zip(inputs["odd"], inputs["extra"])]}
"""


@pytest.fixture
def shop(project: Path) -> Path:
    """Sixty orders of each of twenty things, and a repository that has their amounts."""
    times = [40.0 * n for n in range(60) for _ in range(20)]
    ids = [key for _ in range(60) for key in range(20)]
    cents = [(key * 7919 + n * 104729) % 100_003 for n in range(60) for key in range(20)]
    (project / "warehouse_data").mkdir()
    table = pa.table({"id": ids, "known_at": hours(*times), "cents": cents})
    pq.write_table(table, project / "warehouse_data" / "orders.parquet")
    write_files(
        project,
        {
            "fieldhouse.toml": '[project]\nnamespace = "shop"\n[clock]\n'
            'instant = "2013-04-11T00:00:00Z"\n[feast]\nsync = false\n',
            "feature_repo/base.py": BASE,
            "feature_repo/amounts.py": "from base import amounts\n"
            'euros = amounts("euros", "cents / 100.0", "amount")\n',
        },
    )
    return project


def land(fieldhouse: Callable[..., Ran]) -> None:
    """Take the repository through review and sketch it."""
    admin = fieldhouse("token", "create", "root", "--role", "admin").out.strip()

    def token(name: str, role: str) -> str:
        made = fieldhouse("token", "create", name, "--role", role, "--token", admin)
        return str(made.out.strip())

    digest = fieldhouse("propose", "--token", token("ada", "author")).out.split()[0]
    assert fieldhouse("approve", digest, "--token", token("bob", "steward")).code == 0
    assert fieldhouse("apply", digest, "--token", token("ci", "operator")).code == 0
    made = fieldhouse("duplicates", "--refresh")
    assert "sketched 1 features" in made.err


@pytest.mark.slow
def test_a_copy_by_another_way_blocks_and_another_unit_asks(
    shop: Path, fieldhouse: Callable[..., Ran]
) -> None:
    land(fieldhouse)
    write_files(
        shop,
        {
            "feature_repo/copies.py": "from base import amounts\n"
            'copy = amounts("copy", "(cents + cents) / 200.0", "price")\n'
            'inverse = amounts("inverse", "cents + 1.0", "price_cents")\n'
            'honest = amounts("honest", "(cents * 31) % 977", "other")\n',
        },
    )
    checked = fieldhouse("check", "--json")
    said = {f["subject"]: f for f in checked.json["findings"]}
    assert checked.code == 1
    assert said["copy:price"]["rule"] == "duplicate-values"
    assert "shop/euros:amount@1" in said["copy:price"]["message"]
    assert said["inverse:price_cents"]["rule"] == "near-duplicate"
    assert (
        "inverse:price_cents = 100 × euros:amount + 1 (hundredths for wholes)"
        in said["inverse:price_cents"]["message"]
    )
    assert "honest:other" not in said


@pytest.mark.slow
def test_values_speak_of_equal_definitions_where_the_rule_of_those_is_off(
    shop: Path, fieldhouse: Callable[..., Ran]
) -> None:
    land(fieldhouse)
    again = 'from base import amounts\nagain = amounts("again", "cents / 100.0", "price")\n'
    write_files(shop, {"feature_repo/again.py": again})
    file = shop / "fieldhouse.toml"
    for rules, rule in (
        ("", "duplicate-definition"),
        ('[rules]\nduplicate-definition = "off"\n', "duplicate-values"),
    ):
        file.write_text(file.read_text() + rules)
        found = fieldhouse("check", "--json").json["findings"]
        said = {f["rule"] for f in found if f["subject"] == "again:price"}
        assert {"duplicate-definition", "duplicate-values"} & said == {rule}


@pytest.mark.slow
def test_a_stored_feature_computed_in_python_is_found_by_its_values(
    shop: Path, fieldhouse: Callable[..., Ran]
) -> None:
    land(fieldhouse)
    write_files(
        shop,
        {
            "feature_repo/parts.py": "from base import amounts\n"
            'odd = amounts("odd", "(cents * 31) % 977", "odd")\n'
            'rest = amounts("rest", "cents / 100.0 - (cents * 31) % 977", "rest")\n',
            "feature_repo/again.py": PYTHON,
        },
    )
    checked = fieldhouse("check", "--json")
    said = {f["subject"]: f for f in checked.json["findings"]}
    assert said["again:price"]["rule"] == "duplicate-values"
    assert "repeats shop/euros:amount@1" in said["again:price"]["message"]
    assert "takes extra of each request" in said["asks"]["message"]
