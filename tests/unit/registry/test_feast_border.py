"""Feast objects to our definitions. Real Feast objects; nothing is run or stored."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from feast import (
    BatchFeatureView,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    FileSource,
    KafkaSource,
    PushSource,
    RequestSource,
    StreamFeatureView,
    ValueType,
)
from feast.data_format import JsonFormat
from feast.data_source import DataSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float64, Int64, String, UnixTimestamp

from registry.adapters.feast_border import Border, Translation, translate
from registry.core.definitions import Governance, JoinKey, Location, Repository
from registry.vocabulary import SqlSource, expect, governed

HERE = __name__
CARRIER = Entity(name="carrier", join_keys=["code"], value_type=ValueType.STRING, owner="e@x")
FILE = FileSource(
    name="flights", path="x/f.parquet", timestamp_field="ts", created_timestamp_column="seen"
)
OTHER_SQL = SqlSource(name="late", query="SELECT 1 AS a, ts FROM t", timestamp_field="ts")
SQL = SqlSource(name="late", query="SELECT code, ts, a FROM flights", timestamp_field="ts")


def view(name: str = "v", **changes: object) -> FeatureView:
    given: dict[str, object] = {
        "name": name,
        "entities": [CARRIER],
        "source": FILE,
        "ttl": timedelta(hours=2),
        "schema": [Field(name="code", dtype=String), Field(name="a", dtype=Float64)],
        **changes,
    }
    return FeatureView(**given)


def translated(*things: object, locate: object = None) -> Translation:
    known = {"locate": locate} if locate else {}
    return translate(things, Border("n", **known))  # type: ignore[arg-type]


def repository(*things: object) -> Repository:
    made = translated(CARRIER, *things)
    assert made.repository is not None, made.findings
    return made.repository


def test_a_view_becomes_a_definition() -> None:
    tags = governed(owner="o@x", state="production", expectations=[expect.not_null("a")])
    schema = [
        Field(name="a", dtype=Float64, description="mean", tags=governed(unit="m", default=0.0)),
        Field(name="b", dtype=Array(Int64), tags=governed(expectations=[expect.unique("b")])),
        Field(name="c", dtype=UnixTimestamp),
    ]
    made = repository(view(schema=schema, tags={**tags, "team": "ops"}, description="d")).views[0]
    assert made.join_keys == (JoinKey("code", "string"),)
    assert made.entities == ("carrier",)
    assert made.ttl_seconds == 7200
    assert made.facts == Governance(owner="o@x", state="production", description="d")
    assert [(f.name, f.dtype) for f in made.features] == [
        ("a", "float64"),
        ("b", "list<int64>"),
        ("c", "timestamp"),
    ]
    assert made.features[0].facts == Governance(description="mean", unit="m", default=0.0)
    assert [e.kind for e in made.expectations] == [
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_unique",
    ]
    assert made.tags == (("team", "ops"),)


@pytest.mark.parametrize("ttl", [None, timedelta(0)])
def test_no_ttl_means_for_ever(ttl: timedelta | None) -> None:
    assert repository(view(ttl=ttl)).views[0].ttl_seconds is None


def test_a_file_is_a_table_by_its_logical_name() -> None:
    source = repository(view()).views[0].source
    assert (source.kind, source.table) == ("table", "flights")
    assert (source.timestamp_field, source.created_field) == ("ts", "seen")
    unnamed = FileSource(path="deep/planes.parquet", timestamp_field="ts")
    assert repository(view(source=unnamed)).views[0].source.table == "planes"


def test_a_query_stays_a_query() -> None:
    source = repository(view(source=SQL)).views[0].source
    assert (source.kind, source.query, source.table) == ("sql", SQL.query, None)


def test_pushed_and_streamed_views_keep_their_history() -> None:
    kafka = KafkaSource(
        name="k",
        kafka_bootstrap_servers="h",
        topic="t",
        message_format=JsonFormat("a double"),
        timestamp_field="ts",
        batch_source=SQL,
    )
    pushed = repository(view(source=PushSource(name="p", batch_source=FILE))).views[0]
    streamed = repository(view(source=kafka)).views[0]
    assert (pushed.source.kind, pushed.source.history.table) == ("push", "flights")
    assert (streamed.source.kind, streamed.source.history.query) == ("stream", SQL.query)
    assert pushed.source.timestamp_field == "ts"


@pytest.mark.filterwarnings("ignore")
def test_batch_views_and_entityless_views_are_views() -> None:
    schema = [Field(name="a", dtype=Int64)]
    batch = BatchFeatureView(name="b", mode="sql", entities=[CARRIER], source=FILE, schema=schema)
    made = repository(batch, view("none", entities=[]))
    assert [(v.name, v.kind, len(v.join_keys)) for v in made.views] == [
        ("b", "batch", 1),
        ("none", "batch", 0),
    ]


CODE = (
    "import math\nSCALE = 2\ndef near(inputs):\n    return {'r': [SCALE * x for x in inputs['a']]}"
)
SOURCES = {HERE: CODE}


def on_demand(**changes: object) -> object:
    request = RequestSource(name="now", schema=[Field(name="hour", dtype=Int64)])

    def near(inputs: dict[str, list[float]]) -> dict[str, list[float]]:
        return {"r": inputs["a"]}

    wide = view(schema=[Field(name=n, dtype=Float64) for n in "ab"])
    given: dict[str, object] = {
        "sources": [wide, request],
        "schema": [Field(name="r", dtype=Float64)],
        "mode": "python",
        **changes,
    }
    return on_demand_feature_view(**given)(near)


def test_an_on_demand_view_carries_all_its_code() -> None:
    made = translate([CARRIER, on_demand()], Border("n", sources=SOURCES, module_of=lambda _: HERE))
    assert made.repository is not None, made.findings
    found = made.repository.on_demand[0]
    assert (found.name, found.entry, found.mode) == ("near", "near", "python")
    assert found.inputs == ("v:a",), "b is not read"
    assert found.request_fields == (JoinKey("hour", "int64"),)
    assert "SCALE = 2" in found.code
    assert "math" not in found.code


def test_services_read_views_parts_of_views_and_text() -> None:
    wide = view(schema=[Field(name=n, dtype=Int64) for n in "abc"])
    service = FeatureService(
        name="s",
        features=["w@v2:x", wide[["c", "a"]], "v", "w:y@3"],
        tags=governed(owner="o", state="production"),
    )
    plain = FeatureService(name="plain", features=[wide])
    made = repository(wide, service, plain).services
    assert made[0].state == "draft"
    assert made[1].refs == ("w:x@2", "v:c", "v:a", "v:b", "w:y@3")
    assert (made[1].state, made[1].owner) == ("production", "o")


def stream_with_code() -> StreamFeatureView:
    def change(frame: object) -> object:
        return frame

    return StreamFeatureView(
        name="s",
        entities=[CARRIER],
        source=PushSource(name="p", batch_source=FILE),
        schema=[Field(name="a", dtype=Int64)],
        ttl=timedelta(1),
        mode="python",
        udf=change,
        udf_string="",
    )


@pytest.mark.parametrize(
    ("things", "said"),
    [
        ((view(), view()), "called 'v'"),
        ((view("Speed"), view("speed")), "called 'speed'"),
        ((CARRIER, Entity(name="carrier", value_type=ValueType.INT64)), "carrier"),
        ((view(schema=[]),), "no features"),
        ((view(tags={"fieldhouse.state": "live"}),), "live"),
        ((FeatureService(name="s", features=["nowhere"]),), "nowhere"),
        ((view(source=SQL), view("w", source=OTHER_SQL)), "'late'"),
        ((on_demand(singleton=True),), "singleton"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_a_finding(things: Iterable[object], said: str) -> None:
    made = translated(CARRIER, *things)
    assert made.repository is None
    assert len(made.findings) == 1
    assert said in made.findings[0].message
    assert made.findings[0].severity == "error"


@pytest.mark.filterwarnings("ignore")
def test_code_on_a_stream_is_refused_with_advice() -> None:
    (finding,) = translated(CARRIER, stream_with_code()).findings
    assert "SqlSource" in finding.hint


def test_an_entity_that_no_file_defines_is_a_finding() -> None:
    (finding,) = translated(view()).findings
    assert "carrier" in finding.message


def test_findings_and_definitions_say_where() -> None:
    one, two = view(), view()
    places = {id(one): Location("a/one.py", 3), id(two): Location("b/two.py", 7)}

    def locate(thing: object) -> Location:
        return places.get(id(thing), Location("", 0))

    made = translated(CARRIER, one, two, locate=locate)
    assert made.findings[0].location == Location("b/two.py", 7)
    assert "a/one.py line 3" in made.findings[0].message
    alone = translated(CARRIER, one, locate=locate)
    assert alone.repository is not None
    assert alone.repository.views[0].domain == "a"


def test_a_declared_domain_wins_over_the_folder() -> None:
    one = view(tags=governed(domain="fleet"))
    made = translated(CARRIER, one, locate=lambda _: Location("a/one.py", 3))
    assert made.repository is not None
    assert made.repository.views[0].domain == "fleet"


def test_a_sql_source_survives_feasts_registry() -> None:
    source = SqlSource(
        name="s",
        query="SELECT 'ü' AS k",
        timestamp_field="ts",
        created_timestamp_column="seen",
        field_mapping={"a": "b"},
        description="d",
        tags=governed(owner="o"),
        owner="o",
    )
    assert DataSource.from_proto(source.to_proto()) == source
    assert source != SqlSource(name="s", query="SELECT 1", timestamp_field="ts")
