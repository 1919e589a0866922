"""The vectors on docs/online-format.md are what the code writes and reads."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from featureserver.keys import key_space
from featureserver.rows import pack, unpack
from registry.core.published import RowSchema
from registry.testing import NOON, feature, view

PAGE = Path(__file__).parents[3] / "docs" / "online-format.md"
VECTORS = [
    bytes.fromhex(found) for found in re.findall(r"^    ([0-9a-f]{40,})$", PAGE.read_text(), re.M)
]
KEYS = 7
BEFORE_LAYOUT_2 = VECTORS.pop(KEYS + 1)
ROWS = [
    (
        RowSchema(1, (("rate", "float64"), ("trips", "int32"), ("late", "bool"))),
        {"rate": 0.5, "trips": 7, "late": True},
        timedelta(seconds=1),
    ),
    (
        RowSchema(1, (("rate", "float64"), ("trips", "int32"), ("late", "bool"))),
        {"rate": None, "trips": -1, "late": None},
        timedelta(),
    ),
    (
        RowSchema(
            258,
            (
                ("name", "string"),
                ("rate", "float32"),
                ("tags", "list<string>"),
                ("vector", "list<float32>"),
            ),
        ),
        {"name": "é", "rate": 0.5, "tags": ["a", None, "bc"], "vector": [1.0, None]},
        timedelta(),
    ),
    (
        RowSchema(
            3,
            (
                ("small", "set<int32>"),
                ("nested", "list<list<int64>>"),
                ("facts", "json"),
                ("none", "list<float64>"),
            ),
        ),
        {"small": [3, -1], "nested": [[1], None, []], "facts": '{"a": [1, null]}', "none": []},
        timedelta(),
    ),
    (
        RowSchema(
            1,
            (
                ("price", "decimal"),
                ("id", "uuid"),
                ("facts", "map"),
                ("seen", "timestamp"),
                ("raw", "bytes"),
            ),
        ),
        {
            "price": Decimal("-1.5"),
            "id": "00112233-4455-6677-8899-aabbccddeeff",
            "facts": {"a": 1},
            "seen": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
            "raw": b"}",
        },
        timedelta(),
    ),
]


def test_the_key_vectors_are_what_is_written():
    weather = view("weather", [feature("f")], {"origin": "string"}, namespace="flights")
    keys = {"origin": "string", "day": "int64"}
    route = view("route", [feature("f")], keys, line=2, generation=3)
    made = key_space(weather).keys({"origin": ["JFK", "a}~"]})
    for one in (replace(route, key_format=1), route):
        made += key_space(one).keys({"origin": ["JFK"], "day": [125]})
    made += key_space(route).keys({"origin": ["JFK"] * 3, "day": [0, -129, 70_000]})
    assert made == VECTORS[:KEYS]


def test_a_row_from_before_layout_2_reads_as_it_did():
    schema, values, _ = ROWS[0]
    found = unpack({1: schema}, BEFORE_LAYOUT_2)
    assert (found.event, found.created, found.values(schema)) == (NOON, NOON, values)


def test_the_row_vectors_are_what_is_written_and_read():
    assert len(VECTORS) == KEYS + len(ROWS)
    for (schema, values, later), vector in zip(ROWS, VECTORS[KEYS:], strict=True):
        assert pack(schema, values, NOON, NOON + later) == vector
        assert unpack({schema.version: schema}, vector).values(schema) == values
